"""HTTP API (payload format 2.0) -> checks an order, prices it and answers with a signed receipt."""
import base64
import hashlib
import hmac
import json
import os
from decimal import ROUND_HALF_UP, Decimal

PRICES = {"LED-100": Decimal("12.95"), "CBL-020": Decimal("3.40"), "PSU-005": Decimal("29.00")}
COUPONS = {"WELCOME10": Decimal("0.10")}
CENT = Decimal("0.01")


class BadOrder(Exception):
    """The caller's fault; its text is the answer."""


def answer(status, body, **headers):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", **headers},
        "body": json.dumps(body, sort_keys=True),
        "isBase64Encoded": False,
    }


def body_of(event):
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        text = base64.b64decode(text).decode("utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadOrder(f"the body is not JSON: {error}") from None


def priced(order, currency):
    lines = []
    for item in order.get("items", []):
        if item["sku"] not in PRICES:
            raise BadOrder(f"unknown sku {item['sku']}")
        if item["quantity"] < 1:
            raise BadOrder(f"quantity of {item['sku']} must be at least 1")
        lines.append({"sku": item["sku"], "quantity": item["quantity"], "amount": PRICES[item["sku"]] * item["quantity"]})
    if not lines:
        raise BadOrder("an order needs items")
    net = sum(line["amount"] for line in lines)
    discount = (net * COUPONS.get(order.get("coupon"), Decimal(0))).quantize(CENT, ROUND_HALF_UP)
    return {
        "customer": order["customer"],
        "currency": currency,
        "lines": [{**line, "amount": str(line["amount"])} for line in lines],
        "discount": str(discount),
        "total": str(net - discount),
    }


def lambda_handler(event, context):
    if event["routeKey"] != "POST /orders":
        return answer(404, {"error": f"no route {event['routeKey']}"})
    try:
        receipt = priced(body_of(event), (event.get("queryStringParameters") or {}).get("currency", "USD"))
    except BadOrder as error:
        return answer(400, {"error": str(error)})
    except KeyError as error:
        return answer(400, {"error": f"{error.args[0]} is missing"})
    receipt["order"] = event["requestContext"]["requestId"]
    text = json.dumps(receipt, sort_keys=True).encode()
    signature = hmac.new(os.environ["SIGNING_KEY"].encode(), text, hashlib.sha256).hexdigest()
    print(f"order {receipt['order']}: {receipt['total']} {receipt['currency']}")
    return answer(201, receipt, **{"x-signature": f"sha256={signature}"})
