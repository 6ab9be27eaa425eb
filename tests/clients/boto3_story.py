"""A whole story with boto3, as a user would write it. LAMBED_URL says where, LAMBED_ISOLATION how functions run."""

import base64
import io
import json
import os
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(retries={"total_max_attempts": 1})


def client(service: str):
    return boto3.client(service, endpoint_url=os.environ["LAMBED_URL"], config=CONFIG)


def package(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.py", text)
    return out.getvalue()


def refused(call, code: str, status: int, text: str) -> None:
    try:
        call()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        assert text in error.response["Error"]["Message"], error.response
        return
    raise AssertionError(f"{code} was expected")


FIRST = """
import os, time
def handler(event, context):
    print("said", event)
    if event.get("fail"): raise ValueError("on purpose")
    if event.get("sleep"): time.sleep(event["sleep"])
    return {"version": 1, "name": context.function_name, "arn": context.invoked_function_arn, "tag": os.environ["TAG"],
            "id": context.aws_request_id, "region": os.environ["AWS_REGION"],
            "client": context.client_context and context.client_context.custom}
"""
SECOND = FIRST.replace('"version": 1', '"version": 2')

aws_lambda, iam, sts = client("lambda"), client("iam"), client("sts")
account = sts.get_caller_identity()["Account"]
assert account == "123456789012"

role = iam.create_role(RoleName="story", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}))["Role"]
assert role["Arn"] == f"arn:aws:iam::{account}:role/story"
iam.attach_role_policy(RoleName="story", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
assert iam.get_role(RoleName="story")["Role"]["RoleName"] == "story"
assert iam.get_role(RoleName="story")["Role"]["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"

made = aws_lambda.create_function(
    FunctionName="story", Runtime="python3.11", Role=role["Arn"], Handler="app.handler", Code={"ZipFile": package(FIRST)},
    Timeout=1, Environment={"Variables": {"TAG": "a"}}, Tags={"made": "by boto3"},
)
arn = f"arn:aws:lambda:eu-central-1:{account}:function:story"
assert made["State"] == "Pending" and made["FunctionArn"] == arn and made["ResponseMetadata"]["HTTPStatusCode"] == 201
aws_lambda.get_waiter("function_exists").wait(FunctionName="story")
aws_lambda.get_waiter("function_active_v2").wait(FunctionName="story")
aws_lambda.get_waiter("function_active").wait(FunctionName="story")
whole = aws_lambda.get_function(FunctionName=arn)
assert whole["Tags"] == {"made": "by boto3"} and whole["Configuration"]["LastUpdateStatus"] == "Successful"
pages = aws_lambda.get_paginator("list_functions").paginate()
assert [f["FunctionName"] for page in pages for f in page["Functions"]] == ["story"]


def invoke(payload, **more):
    answer = aws_lambda.invoke(FunctionName="story", Payload=json.dumps(payload), **more)
    return answer, json.loads(answer["Payload"].read())


answer, value = invoke({"n": 1}, LogType="Tail", ClientContext=base64.b64encode(b'{"custom":{"k":"v"}}').decode())
assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST" and "FunctionError" not in answer
assert value["version"] == 1 and value["tag"] == "a" and value["arn"] == arn and value["region"] == "eu-central-1", value
assert value["client"] == {"k": "v"}
assert value["id"] == answer["ResponseMetadata"]["RequestId"]
log = base64.b64decode(answer["LogResult"]).decode()
assert f"START RequestId: {value['id']} Version: $LATEST" in log and "said {'n': 1}" in log and "REPORT RequestId" in log

answer, value = invoke({"fail": True})
assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled"
assert value["errorType"] == "ValueError" and value["errorMessage"] == "on purpose" and value["stackTrace"]
answer, value = invoke({"sleep": 5})
assert answer["FunctionError"] == "Unhandled" and value["errorType"] == "Sandbox.Timedout", value
assert value["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")

first = aws_lambda.publish_version(FunctionName="story", Description="one")
assert first["Version"] == "1" and first["FunctionArn"] == f"{arn}:1"
aws_lambda.update_function_code(FunctionName="story", ZipFile=package(SECOND))
aws_lambda.get_waiter("function_updated_v2").wait(FunctionName="story")
aws_lambda.update_function_configuration(FunctionName="story", Environment={"Variables": {"TAG": "b"}}, MemorySize=256)
aws_lambda.get_waiter("function_updated").wait(FunctionName="story")
assert aws_lambda.publish_version(FunctionName="story")["Version"] == "2"
aws_lambda.get_waiter("published_version_active").wait(FunctionName="story", Qualifier="2")
assert [v["Version"] for v in aws_lambda.list_versions_by_function(FunctionName="story")["Versions"]] == ["$LATEST", "1", "2"]

alias = aws_lambda.create_alias(
    FunctionName="story", Name="live", FunctionVersion="1", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
)
assert alias["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.5}}
picked = set()
for _ in range(100):
    answer, value = invoke({}, Qualifier="live")
    assert value["arn"] == f"{arn}:live" and answer["ExecutedVersion"] == str(value["version"]), (answer, value)
    picked.add(answer["ExecutedVersion"])
assert picked == {"1", "2"}
assert "RoutingConfig" not in aws_lambda.update_alias(FunctionName="story", Name="live", FunctionVersion="2", RoutingConfig={})
assert invoke({}, Qualifier="live")[1]["tag"] == "b"
assert [a["Name"] for a in aws_lambda.list_aliases(FunctionName="story")["Aliases"]] == ["live"]

aws_lambda.tag_resource(Resource=arn, Tags={"more": "1"})
aws_lambda.untag_resource(Resource=arn, TagKeys=["made"])
assert aws_lambda.list_tags(Resource=arn)["Tags"] == {"more": "1"}

aws_lambda.put_provisioned_concurrency_config(FunctionName="story", Qualifier="live", ProvisionedConcurrentExecutions=1)
provisioned = aws_lambda.list_provisioned_concurrency_configs(FunctionName="story")["ProvisionedConcurrencyConfigs"]
assert provisioned[0]["FunctionArn"] == f"{arn}:live"
aws_lambda.delete_provisioned_concurrency_config(FunctionName="story", Qualifier="live")
aws_lambda.put_function_concurrency(FunctionName="story", ReservedConcurrentExecutions=0)
assert aws_lambda.get_function_concurrency(FunctionName="story")["ReservedConcurrentExecutions"] == 0
refused(lambda: invoke({}), "TooManyRequestsException", 429, "Rate Exceeded.")
aws_lambda.delete_function_concurrency(FunctionName="story")
assert invoke({})[0]["StatusCode"] == 200
assert aws_lambda.get_account_settings()["AccountUsage"]["FunctionCount"] == 1

answer = aws_lambda.invoke(FunctionName="story", InvocationType="Event", Payload=b"{}")
assert answer["StatusCode"] == 202 and answer["Payload"].read() == b"" and "ExecutedVersion" not in answer, answer
put = aws_lambda.put_function_event_invoke_config(
    FunctionName="story", MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": "lambed:local"}}
)
assert put["FunctionArn"] == f"{arn}:$LATEST" and put["LastModified"].year >= 2025 and "MaximumEventAgeInSeconds" not in put, put
assert put["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": {"Destination": "lambed:local"}}
merged = aws_lambda.update_function_event_invoke_config(FunctionName="story", MaximumEventAgeInSeconds=60)
assert (merged["MaximumRetryAttempts"], merged["MaximumEventAgeInSeconds"]) == (1, 60)
pages = aws_lambda.get_paginator("list_function_event_invoke_configs").paginate(FunctionName="story")
assert [c["FunctionArn"] for page in pages for c in page["FunctionEventInvokeConfigs"]] == [f"{arn}:$LATEST"]
aws_lambda.delete_function_event_invoke_config(FunctionName="story")
refused(lambda: aws_lambda.get_function_event_invoke_config(FunctionName="story"),
        "ResourceNotFoundException", 404, f"The function {arn}:$LATEST doesn't have an EventInvokeConfig")
assert aws_lambda.invoke(FunctionName="story", InvocationType="DryRun")["StatusCode"] == 204
refused(lambda: aws_lambda.list_layers(), "OperationNotSupportedException", 501, "ListLayers")
refused(lambda: aws_lambda.get_policy(FunctionName="story"), "ResourceNotFoundException", 404, "No policy is associated")
refused(lambda: aws_lambda.get_alias(FunctionName="story", Name="nope"),
        "ResourceNotFoundException", 404, f"Cannot find alias arn: {arn}:nope")
refused(
    lambda: aws_lambda.create_function(
        FunctionName="bad", Runtime="python2.7", Role=role["Arn"], Handler="a.b", Code={"ZipFile": package("")}),
    "InvalidParameterValueException", 400, "The runtime parameter of python2.7 is no longer supported",
)

vpc = {"SubnetIds": ["subnet-a"], "SecurityGroupIds": ["sg-a"]}
if os.environ["LAMBED_ISOLATION"] == "process":
    aws_lambda.update_function_configuration(FunctionName="story", VpcConfig=vpc)
    aws_lambda.get_waiter("function_updated_v2").wait(FunctionName="story")
    inside = aws_lambda.get_function_configuration(FunctionName="story")["VpcConfig"]
    assert inside == vpc | {"VpcId": "vpc-a", "Ipv6AllowedForDualStack": False}, inside
    assert invoke({})[1]["version"] == 2
    refused(
        lambda: aws_lambda.update_function_configuration(FunctionName="story", VpcConfig=vpc | {"SubnetIds": ["subnet-x"]}),
        "InvalidParameterValueException", 400, "The subnet ID 'subnet-x' does not exist",
    )
    taken = aws_lambda.update_function_configuration(FunctionName="story", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []})
    assert taken["VpcConfig"]["VpcId"] == "", taken
    aws_lambda.get_waiter("function_updated_v2").wait(FunctionName="story")
    assert invoke({})[1]["version"] == 2
else:
    refused(
        lambda: aws_lambda.update_function_configuration(FunctionName="story", VpcConfig=vpc),
        "InvalidParameterValueException", 400, "does not exist",
    )

aws_lambda.delete_alias(FunctionName="story", Name="live")
aws_lambda.delete_function(FunctionName="story", Qualifier="1")
aws_lambda.delete_function(FunctionName="story")
refused(lambda: aws_lambda.get_function(FunctionName="story"), "ResourceNotFoundException", 404, f"Function not found: {arn}")
iam.detach_role_policy(RoleName="story", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
iam.delete_role(RoleName="story")
