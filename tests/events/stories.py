"""The stories of events_test.py, inside its virtual environment: stories.py PROGRAM SCRATCH [Stories.test_...]."""

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.request
import uuid
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "packages"))
import cases  # noqa: E402

PROGRAM, SCRATCH = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
ACCOUNT, REGION = "123456789012", "us-east-1"
KEYS = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "secret"}
CONFIG = Config(retries={"total_max_attempts": 1}, region_name=REGION)
PATIENCE = 60

HANDLER = """
def handler(event, context):
    if event.get("fail"):
        raise ValueError("boom <&> \\u00e9")
    return {"got": event, "id": context.aws_request_id}
"""


def package(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.py", text)
    return out.getvalue()


def eventually(condition, what: str):
    """The first true value of `condition`."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.05)
    return value


class Child:
    """A server that says on one of its streams when it is up."""

    def __init__(self, words, says: str, log: Path, environment=None) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [str(word) for word in words], stdout=file, stderr=file, env=os.environ | (environment or {})
            )
        eventually(lambda: says in self.text() or self.process.poll() is not None, says)
        if self.process.poll() is not None:
            raise RuntimeError(self.text())

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


class Moto(Child):
    def __init__(self, folder: Path) -> None:
        super().__init__([sys.executable, "-Bu", HERE / "moto_server.py"], "listening on", folder / "moto.log")
        self.port = int(re.search(r"listening on (\d+)", self.text())[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self, service: str):
        keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "secret"}
        return boto3.client(service, endpoint_url=self.url, config=CONFIG, **keys)


class Serve(Child):
    def __init__(self, folder: Path, endpoint: str, *words, environment=None) -> None:
        super().__init__(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--aws-endpoint-url", endpoint, *words],
            "/invocations\n",
            folder / f"serve-{uuid.uuid4()}.log",
            environment or KEYS,
        )
        self.url = re.search(r"serves the Lambda API at (\S+)", self.text())[1]
        keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "secret"}
        self.aws_lambda = boto3.client("lambda", endpoint_url=self.url, config=CONFIG, **keys)

    def create(self, name: str, **more) -> None:
        self.aws_lambda.create_function(
            FunctionName=name, Runtime="python3.11", Role=f"arn:aws:iam::{ACCOUNT}:role/r", Handler="app.handler",
            Code={"ZipFile": package(HANDLER)}, **more,
        )
        self.aws_lambda.get_waiter("function_active_v2").wait(FunctionName=name)

    def send(self, name: str, event, **more) -> str:
        """Answers the request id."""
        answer = self.aws_lambda.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event), **more)
        assert answer["StatusCode"] == 202, answer
        return answer["ResponseMetadata"]["RequestId"]

    def dlq(self, *words, code: int = 0) -> str:
        server = self.url.removeprefix("http://")
        run = subprocess.run(
            [PROGRAM, "dlq", *words, "--server", server], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert run.returncode == code, run
        return run.stdout if code == 0 else run.stderr

    def letters(self, *words) -> list:
        return [json.loads(line) for line in self.dlq("list", "--json", *words).splitlines()]

    def metric(self, name: str) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}[ {{]", line))


class Forwarder:
    """A port that leads to another one, from open() on."""

    def __init__(self, to: int) -> None:
        self.to = to
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))  # taken, and nobody listens: connections are refused
        self.port = self.socket.getsockname()[1]

    def open(self) -> None:
        self.socket.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                near, _ = self.socket.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self.socket.close()


class Stories(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.folder = SCRATCH / self.id().split(".")[-1]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.moto = Moto(self.folder)
        self.addCleanup(self.moto.stop)
        self.sqs = self.moto.client("sqs")

    def serve(self, *words, endpoint: str = "", environment=None) -> Serve:
        server = Serve(self.folder, endpoint or self.moto.url, *words, environment=environment)
        self.addCleanup(lambda: server.process.poll() is None and self.assertEqual(server.stop(), 0))
        return server

    def queue(self, name: str) -> tuple[str, str]:
        return self.sqs.create_queue(QueueName=name)["QueueUrl"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def message(self, url: str) -> dict:
        def receive():
            found = self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=5)
            return found.get("Messages")

        [message] = eventually(receive, f"a message in {url}: {self.moto.text()[-2000:]}")
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return message

    def nothing_was_refused(self) -> None:
        self.assertNotIn("moto_server:", self.moto.text())

    def attributes(self, message: dict) -> dict:
        return {k: (v["DataType"], v["StringValue"]) for k, v in message.get("MessageAttributes", {}).items()}

    def check_record(
        self, record: dict, request_id: str, condition: str, event, function: str = "f:$LATEST", count: int = 1
    ) -> None:
        """Every member of an invocation record, and no other."""
        self.assertRegex(record.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        expected = {
            "version": "1.0",
            "requestContext": {
                "requestId": request_id,
                "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
                "condition": condition,
                "approximateInvokeCount": count,
            },
            "requestPayload": event,
        }
        if condition == "Success":
            expected["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST"}
            expected["responsePayload"] = {"got": event, "id": request_id}
        elif condition == "RetriesExhausted":
            expected["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
            payload = record.pop("responsePayload")
            self.assertEqual({k: payload[k] for k in ("errorType", "errorMessage", "requestId")},
                             {"errorType": "ValueError", "errorMessage": "boom <&> é", "requestId": request_id})
            self.assertEqual(set(payload), {"errorType", "errorMessage", "requestId", "stackTrace"})
        self.assertEqual(record, expected)

    # ---- Dead letters

    def test_a_dead_letter_is_the_event_with_three_attributes(self) -> None:
        server = self.serve()
        url, arn = self.queue("letters")
        server.create("f", DeadLetterConfig={"TargetArn": arn})
        server.aws_lambda.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
        event = {"fail": True, "text": "<é>"}
        request_id = server.send("f", event)
        message = self.message(url)
        self.assertEqual(message["Body"], json.dumps(event))
        wanted = {"RequestID": ("String", request_id), "ErrorCode": ("Number", "200"), "ErrorMessage": ("String", "boom <&> é")}
        self.assertEqual(self.attributes(message), wanted)
        self.nothing_was_refused()

    def test_a_topic_gets_the_same(self) -> None:
        server = self.serve()
        url, queue = self.queue("behind")
        sns = self.moto.client("sns")
        topic = sns.create_topic(Name="letters")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
        server.create("f", DeadLetterConfig={"TargetArn": topic})
        server.aws_lambda.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
        request_id = server.send("f", {"fail": True})
        message = self.message(url)
        self.assertEqual(message["Body"], json.dumps({"fail": True}))
        wanted = {"RequestID": ("String", request_id), "ErrorCode": ("Number", "200"), "ErrorMessage": ("String", "boom <&> é")}
        self.assertEqual(self.attributes(message), wanted)
        self.nothing_was_refused()

    def test_what_never_ran_is_a_dead_letter_too(self) -> None:
        server = self.serve()
        url, arn = self.queue("letters")
        failures, failures_arn = self.queue("failures")
        server.create("f", DeadLetterConfig={"TargetArn": arn})
        server.aws_lambda.put_function_event_invoke_config(
            FunctionName="f", DestinationConfig={"OnFailure": {"Destination": failures_arn}})
        server.aws_lambda.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
        request_id = server.send("f", {"n": 1})
        attributes = self.attributes(self.message(url))
        self.assertEqual(attributes["RequestID"], ("String", request_id))
        self.assertEqual(attributes["ErrorCode"], ("Number", "429"))
        self.check_record(json.loads(self.message(failures)["Body"]), request_id, "ZeroReservedConcurrency", {"n": 1}, count=0)

    # ---- Destinations

    def configure(self, server: Serve, success: str = "", failure: str = "", **more) -> None:
        config = {}
        if success:
            config["OnSuccess"] = {"Destination": success}
        if failure:
            config["OnFailure"] = {"Destination": failure}
        server.aws_lambda.put_function_event_invoke_config(
            FunctionName="f", MaximumRetryAttempts=0, DestinationConfig=config, **more)

    def test_queues_get_records(self) -> None:
        server = self.serve()
        success, success_arn = self.queue("success")
        failure, failure_arn = self.queue("failure")
        server.create("f")
        self.configure(server, success_arn, failure_arn)
        request_id = server.send("f", {"n": [1, None, "é"]})
        message = self.message(success)
        self.assertEqual(self.attributes(message), {})
        self.check_record(json.loads(message["Body"]), request_id, "Success", {"n": [1, None, "é"]})
        request_id = server.send("f", {"fail": True})
        self.check_record(json.loads(self.message(failure)["Body"]), request_id, "RetriesExhausted", {"fail": True})
        self.nothing_was_refused()

    def test_an_alias_has_destinations_of_its_own(self) -> None:
        server = self.serve()
        success, success_arn = self.queue("success")
        server.create("f")
        server.aws_lambda.publish_version(FunctionName="f")
        server.aws_lambda.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        self.configure(server, success_arn, Qualifier="live")
        server.send("f", {"n": 1})  # has none
        request_id = server.send("f", {"n": 2}, Qualifier="live")
        record = json.loads(self.message(success)["Body"])
        self.assertEqual(record["requestPayload"], {"n": 2})
        self.assertEqual(record["responseContext"].pop("executedVersion"), "1")
        record["responseContext"]["executedVersion"] = "$LATEST"
        self.check_record(record, request_id, "Success", {"n": 2}, "f:live")

    def test_a_topic_gets_a_record(self) -> None:
        server = self.serve()
        url, queue = self.queue("behind")
        sns = self.moto.client("sns")
        topic = sns.create_topic(Name="records")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        server.create("f")
        self.configure(server, topic)
        request_id = server.send("f", {"n": 1})
        notification = json.loads(self.message(url)["Body"])
        self.assertEqual(notification["TopicArn"], topic)
        self.assertNotIn("MessageAttributes", notification)
        self.check_record(json.loads(notification["Message"]), request_id, "Success", {"n": 1})
        self.nothing_was_refused()

    def test_a_bus_gets_an_event(self) -> None:
        server = self.serve()
        url, queue = self.queue("behind")
        events = self.moto.client("events")
        bus = events.create_event_bus(Name="results")["EventBusArn"]
        events.put_rule(Name="all", EventBusName="results", EventPattern=json.dumps({"source": ["lambda"]}))
        events.put_targets(Rule="all", EventBusName="results", Targets=[{"Id": "1", "Arn": queue}])
        server.create("f")
        self.configure(server, bus, bus)
        function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:$LATEST"
        for event, condition, word in (({"n": 1}, "Success", "Success"), ({"fail": True}, "RetriesExhausted", "Failure")):
            request_id = server.send("f", event)
            got = json.loads(self.message(url)["Body"])
            self.assertEqual(got["source"], "lambda")
            self.assertEqual(got["detail-type"], f"Lambda Function Invocation Result - {word}")
            self.assertEqual(got["resources"], [bus, function])
            self.check_record(got["detail"], request_id, condition, event)
        self.nothing_was_refused()

    def test_a_bucket_gets_an_object_for_a_failure(self) -> None:
        server = self.serve()
        s3 = self.moto.client("s3")
        s3.create_bucket(Bucket="records")
        server.create("f")
        self.configure(server, failure="arn:aws:s3:::records")
        request_id = server.send("f", {"fail": True})
        [found] = eventually(lambda: s3.list_objects_v2(Bucket="records").get("Contents"), self.moto.text()[-2000:])
        day, second = r"\d{4}/\d\d/\d\d", r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d"
        self.assertRegex(found["Key"], f"^aws/lambda/async/f/{day}/{second}-{request_id}$")
        stored = s3.get_object(Bucket="records", Key=found["Key"])
        self.assertEqual(stored["ContentType"], "application/json")
        self.check_record(json.loads(stored["Body"].read()), request_id, "RetriesExhausted", {"fail": True})
        self.nothing_was_refused()

    def test_another_function_gets_a_record(self) -> None:
        server = self.serve()
        url, arn = self.queue("second")
        server.create("g")
        server.create("f")
        self.configure(server, f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:g")
        server.aws_lambda.put_function_event_invoke_config(
            FunctionName="g", DestinationConfig={"OnSuccess": {"Destination": arn}})
        request_id = server.send("f", {"n": 1})
        outer = json.loads(self.message(url)["Body"])
        self.assertEqual(outer["requestContext"]["functionArn"], f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:g:$LATEST")
        self.assertNotEqual(outer["requestContext"]["requestId"], request_id)
        self.check_record(outer["requestPayload"], request_id, "Success", {"n": 1})

    def test_a_session_token_is_sent_and_signed(self) -> None:
        server = self.serve(environment=KEYS | {"AWS_SESSION_TOKEN": "token/+="})
        url, arn = self.queue("success")
        server.create("f")
        self.configure(server, arn)
        request_id = server.send("f", {"n": 1})
        self.check_record(json.loads(self.message(url)["Body"]), request_id, "Success", {"n": 1})
        self.nothing_was_refused()

    # ---- Targets that are not there

    def test_a_target_that_is_down_gets_its_message_when_it_is_up(self) -> None:
        way = Forwarder(self.moto.port)
        self.addCleanup(way.close)
        server = self.serve("--data", self.folder / "data", endpoint=f"http://127.0.0.1:{way.port}")
        url, arn = self.queue("letters")
        server.create("f", DeadLetterConfig={"TargetArn": arn})
        server.aws_lambda.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
        request_id = server.send("f", {"fail": True})
        eventually(lambda: server.metric("lambed_errors_total") >= 1, "the attempt")
        # A server that ends meanwhile keeps the delivery.
        self.assertEqual(server.stop(), 0)
        server = self.serve("--data", self.folder / "data", endpoint=f"http://127.0.0.1:{way.port}")
        time.sleep(0.5)  # some attempts are refused meanwhile
        self.assertFalse(self.sqs.receive_message(QueueUrl=url).get("Messages"))
        way.open()
        self.assertEqual(self.attributes(self.message(url))["RequestID"], ("String", request_id))
        self.assertNotIn("given up", server.text())

    def test_a_target_that_does_not_exist_is_counted_and_named(self) -> None:
        server = self.serve()
        server.create("f", DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:nobody"})
        self.configure(server, f"arn:aws:sns:{REGION}:{ACCOUNT}:nobody", "arn:aws:s3:::nobody")
        request_id = server.send("f", {"fail": True})
        for text in (f"the dead letter of request {request_id} to arn:aws:sqs:{REGION}:{ACCOUNT}:nobody was given up: ",
                     f"the destination record of request {request_id} to arn:aws:s3:::nobody was given up: NoSuchBucket"):
            eventually(lambda text=text: text in server.text(), f"{text} in {server.text()}")
        request_id = server.send("f", {"n": 1})
        text = f"the destination record of request {request_id} to arn:aws:sns:{REGION}:{ACCOUNT}:nobody was given up: NotFound"
        eventually(lambda: text in server.text(), f"{text} in {server.text()}")
        self.assertEqual(server.metric("lambed_dead_letter_errors_total"), 1)
        self.assertEqual(server.metric("lambed_destination_delivery_failures_total"), 2)

    # ---- lambed:local

    def test_dead_letters_are_listed_shown_redriven_and_purged(self) -> None:
        server = self.serve("--data", self.folder / "data")
        self.assertEqual(server.letters(), [])
        server.create("f", DeadLetterConfig={"TargetArn": "lambed:local"})
        self.configure(server, success="lambed:local", failure="lambed:local")
        request_id = server.send("f", {"fail": True})
        letters = eventually(lambda: len(found := server.letters()) == 2 and found, "two letters")
        self.assertEqual({each["Kind"] for each in letters}, {"DeadLetter", "OnFailure"})
        [letter] = [each for each in letters if each["Kind"] == "DeadLetter"]
        shown = json.loads(server.dlq("show", letter["Id"]))
        self.assertEqual(shown["RequestPayload"], {"fail": True})
        self.assertEqual(shown["ResponsePayload"]["errorMessage"], "boom <&> é")
        self.assertEqual((shown["RequestId"], shown["ErrorCode"], shown["ErrorMessage"]), (request_id, 200, "boom <&> é"))
        self.assertEqual(shown["FunctionArn"], f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:$LATEST")
        table = server.dlq("list").splitlines()
        self.assertEqual(len(table), 3)
        self.assertRegex(table[0], r"^ID +ENDED +KIND +CONDITION +FUNCTION +ERROR$")

        # They outlive the server.
        self.assertEqual(server.stop(), 0)
        server = self.serve("--data", self.folder / "data")
        self.assertEqual(server.letters(), letters)
        self.assertEqual(server.metric("lambed_dead_letters"), 2)

        # The code is mended; two letters are one event.
        server.aws_lambda.update_function_code(FunctionName="f", ZipFile=package(HANDLER.replace("if event", "if not event")))
        server.aws_lambda.get_waiter("function_updated_v2").wait(FunctionName="f")
        self.assertEqual(server.dlq("redrive", "--function", "nobody"), "0 redriven\n")
        self.assertEqual(server.dlq("redrive", "--function", "f"), "1 redriven\n")
        [success] = eventually(server.letters, "the success")
        self.assertEqual((success["Kind"], success["Condition"]), ("OnSuccess", "Success"))
        self.assertNotEqual(success["RequestId"], request_id)
        self.assertEqual(json.loads(server.dlq("show", success["Id"]))["RequestPayload"], {"fail": True})

        # A success is not run again.
        self.assertEqual(server.dlq("redrive", "--all"), "0 redriven\n")
        self.assertIn("This event was a success.", server.dlq("redrive", success["Id"], code=1))
        self.assertIn("There is no dead letter 7", server.dlq("show", "7", code=2))
        self.assertIn("There is no dead letter 7", server.dlq("redrive", "7", code=1))
        self.assertEqual(server.dlq("purge", "--function", "f"), "1 purged\n")
        self.assertEqual(server.letters(), [])
        self.assertEqual(server.dlq("purge", "--all"), "0 purged\n")

    def test_what_cannot_be_redriven_stays(self) -> None:
        server = self.serve()
        server.create("f", DeadLetterConfig={"TargetArn": "lambed:local"})
        server.aws_lambda.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
        for n in range(3):
            server.send("f", {"fail": True, "n": n})
        letters = eventually(lambda: len(found := server.letters()) == 3 and found, "three letters")
        self.assertEqual(server.dlq("purge", letters[0]["Id"]), "1 purged\n")
        server.aws_lambda.delete_function(FunctionName="f")
        said = server.dlq("redrive", "--all", code=1)
        self.assertEqual(said.count("Function not found: "), 2, said)
        self.assertEqual([each["Id"] for each in server.letters("--limit", "1")], [letters[1]["Id"]])
        self.assertEqual(server.letters(), letters[1:])


if __name__ == "__main__":
    cases.main(".".join(["__main__", *sys.argv[1:2]]))  # all, or Stories.test_...
