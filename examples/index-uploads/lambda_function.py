"""S3 put -> index entries for the uploaded objects.

Keys arrive URL-encoded ("November+walk+%28Bodensee%29.jpg"); consoles create empty "folder" objects that nobody wants
indexed; multipart uploads carry an ETag that is no MD5.
"""
import logging
import mimetypes
import posixpath
from urllib.parse import unquote_plus

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def entry_of(record):
    bucket = record["s3"]["bucket"]["name"]
    described = record["s3"]["object"]
    key = unquote_plus(described["key"], encoding="utf-8")
    digest, _, parts = described["eTag"].partition("-")
    return {
        "uri": f"s3://{bucket}/{key}",
        "folder": posixpath.dirname(key),
        "type": mimetypes.guess_type(key)[0] or "application/octet-stream",
        "size": described["size"],
        "md5": None if parts else digest,
        "uploaded": record["eventTime"],
    }


def lambda_handler(event, context):
    created = [r for r in event["Records"] if r["eventName"].startswith("ObjectCreated:")]
    wanted = [r for r in created if not (r["s3"]["object"]["key"].endswith("/") and r["s3"]["object"]["size"] == 0)]
    entries = [entry_of(r) for r in sorted(wanted, key=lambda r: int(r["s3"]["object"]["sequencer"], 16))]
    for entry in entries:
        logger.info("indexed %s (%d bytes)", entry["uri"], entry["size"])
    return {"indexed": entries, "skipped": len(event["Records"]) - len(entries), "bytes": sum(e["size"] for e in entries)}
