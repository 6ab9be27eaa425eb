"""CloudWatch Logs subscription -> a digest of another function's log: durations, cold starts, errors by kind."""
import base64
import gzip
import json
import re
from collections import Counter
from statistics import median

REPORT = re.compile(
    r"^REPORT RequestId: (?P<id>\S+)\tDuration: (?P<duration>[\d.]+) ms\tBilled Duration: (?P<billed>\d+) ms"
    r"\tMemory Size: (?P<size>\d+) MB\tMax Memory Used: (?P<used>\d+) MB(?:\tInit Duration: (?P<init>[\d.]+) ms)?"
)
ERROR = re.compile(r"^\[ERROR\] (?P<kind>\w+): (?P<text>[^\n]*)")
TIMEOUT = re.compile(r"Task timed out after (?P<seconds>[\d.]+) seconds")


def percentile(values, share):
    """Nearest rank: the smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def lambda_handler(event, context):
    data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    if data["messageType"] == "CONTROL_MESSAGE":
        return {"log_group": data["logGroup"], "invocations": 0}
    reports = [match for e in data["logEvents"] if (match := REPORT.match(e["message"]))]
    errors = Counter(match["kind"] for e in data["logEvents"] if (match := ERROR.match(e["message"])))
    errors.update("timeout" for e in data["logEvents"] if TIMEOUT.search(e["message"]))
    durations = [float(r["duration"]) for r in reports]
    return {
        "log_group": data["logGroup"],
        "events": len(data["logEvents"]),
        "invocations": len(reports),
        "cold_starts": sum(r["init"] is not None for r in reports),
        "duration_ms": {"median": round(median(durations), 2), "p90": percentile(durations, 90), "max": max(durations)},
        "gb_seconds": round(sum(int(r["billed"]) * int(r["size"]) for r in reports) / 1024 / 1000, 6),
        "peak_memory_mb": max(int(r["used"]) for r in reports),
        "errors": dict(sorted(errors.items())),
    }
