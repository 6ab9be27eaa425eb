"""EventBridge schedule -> which nightly backups to delete: grandfather, father, son.

Keeps the newest KEEP_DAILY days, the Sundays of the newest KEEP_WEEKLY weeks and the first of the newest KEEP_MONTHLY
months. The clock is the event's: a schedule that is delivered late, or again, decides the same.
"""
import os
from datetime import date, datetime, timedelta

KEEP_DAILY = int(os.environ.get("KEEP_DAILY", 7))
KEEP_WEEKLY = int(os.environ.get("KEEP_WEEKLY", 4))
KEEP_MONTHLY = int(os.environ.get("KEEP_MONTHLY", 12))


def kept(today, nights):
    newest_first = sorted(nights, reverse=True)
    sundays = [night for night in newest_first if night.isoweekday() == 7]
    firsts = [night for night in newest_first if night.day == 1]
    recent = [night for night in newest_first if night > today - timedelta(days=KEEP_DAILY)]
    return {*recent, *sundays[:KEEP_WEEKLY], *firsts[:KEEP_MONTHLY]}


def lambda_handler(event, context):
    if event["detail-type"] != "Scheduled Event":
        raise ValueError(f"not a schedule: {event['detail-type']}")
    today = datetime.fromisoformat(event["time"].replace("Z", "+00:00")).date()
    first = date.fromisoformat(event["detail"].get("oldest", (today - timedelta(days=100)).isoformat()))
    nights = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    keep = kept(today, nights)
    drop = [night for night in nights if night not in keep]
    print(f"{event['resources'][0].rpartition('/')[2]}: {len(nights)} backups, {len(drop)} to delete")
    return {
        "rule": event["resources"][0].rpartition("/")[2],
        "kept": [night.isoformat() for night in sorted(keep)],
        "deleted": len(drop),
        "oldest_deleted": min(drop).isoformat() if drop else None,
        "newest_deleted": max(drop).isoformat() if drop else None,
    }
