"""Stage 1, Python: unpacks the CloudWatch Logs payload and pulls the invocations out of the log lines."""
import base64
import gzip
import json
import re

LINE = re.compile(r"^(START|END|REPORT) RequestId: (\S+)(?:.*\tBilled Duration: (\d+) ms\tMemory Size: (\d+) MB)?", re.DOTALL)


def lambda_handler(event, context):
    data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    invocations, current = [], None
    for log_event in data["logEvents"]:
        match = LINE.match(log_event["message"])
        if match and match[1] == "START":
            current = {"id": match[2], "start": log_event["timestamp"], "failed": False}
        elif match and match[1] == "REPORT":
            invocations.append({**current, "billed_ms": int(match[3]), "memory_mb": int(match[4])})
        elif current and not match:
            current["failed"] = True
    return {"function": data["logGroup"].rpartition("/")[2], "invocations": invocations}
