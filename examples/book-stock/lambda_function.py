"""SQS batch -> stock movements, booked in a ledger; the messages that failed go back to the queue.

Partial batch response: with FunctionResponseTypes = ReportBatchItemFailures only the messages named in
batchItemFailures are delivered again.
"""
import hashlib
import json
import logging
import sqlite3

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def open_ledger():
    ledger = sqlite3.connect(":memory:")
    ledger.execute("CREATE TABLE stock (place TEXT, sku TEXT, quantity INTEGER CHECK (quantity >= 0), PRIMARY KEY (place, sku))")
    return ledger


def book(ledger, record):
    body = record["body"]
    if hashlib.md5(body.encode("utf-8")).hexdigest() != record["md5OfBody"]:
        raise ValueError("the body was damaged on its way")
    movement = json.loads(body)
    change = movement["quantity"] if movement["movement"] == "in" else -movement["quantity"]
    with ledger:
        # Not an upsert: the check constraint must see the sum, not the change.
        ledger.execute("INSERT OR IGNORE INTO stock VALUES (?, ?, 0)", (movement["at"], movement["sku"]))
        ledger.execute(
            "UPDATE stock SET quantity = quantity + ? WHERE place = ? AND sku = ?",
            (change, movement["at"], movement["sku"]),
        )


def lambda_handler(event, context):
    ledger = open_ledger()
    failures = []
    for record in event["Records"]:
        try:
            book(ledger, record)
        except (ValueError, KeyError, sqlite3.IntegrityError) as error:
            logger.warning("message %s, attempt %s: %s", record["messageId"],
                           record["attributes"]["ApproximateReceiveCount"], error)
            failures.append({"itemIdentifier": record["messageId"]})
    for place, sku, quantity in ledger.execute("SELECT * FROM stock ORDER BY place, sku"):
        logger.info("%s %s: %d", place, sku, quantity)
    return {"batchItemFailures": failures}
