#!/usr/bin/env bash
# A whole story with the AWS CLI; AWS_ENDPOINT_URL says where, LAMBED_ISOLATION how functions run. Run in a folder of its own.
set -euo pipefail

fail() {
  echo "cli_story.sh: $*" >&2
  exit 1
}
is() { [ "$1" = "$2" ] || fail "'$1' instead of '$2'"; }
has() { [[ "$1" == *"$2"* ]] || fail "'$2' is not in: $1"; }
# refused TEXT COMMAND...: fails, and says TEXT.
refused() {
  local text=$1 said
  shift
  if said=$("$@" 2>&1); then fail "$* was not refused"; fi
  has "$said" "$text"
}
aws() { command aws --endpoint-url "$LAMBED_URL" --output text "$@"; }
invoke() { aws lambda invoke --function-name story --payload "$1" "${@:2}" out.json; }
package() {
  printf '%s\n' 'import time' 'def handler(event, context):' '    print("said", event)' \
    '    if event.get("fail"): raise ValueError("on purpose")' '    time.sleep(event.get("sleep", 0))' "    return $1" >app.py
  rm -f app.zip
  python3 -m zipfile -c app.zip app.py
}

is "$(aws sts get-caller-identity --query Account)" 123456789012
role=$(aws iam create-role --role-name story --assume-role-policy-document '{"Version":"2012-10-17","Statement":[]}' --query Role.Arn)
is "$role" arn:aws:iam::123456789012:role/story

package '"one"'
is "$(aws lambda create-function --function-name story --runtime python3.11 --role "$role" --handler app.handler \
  --zip-file fileb://app.zip --timeout 1 --query State)" Pending
aws lambda wait function-active-v2 --function-name story
is "$(aws lambda get-function --function-name story --query Configuration.State)" Active

log=$(invoke '{"n":1}' --log-type Tail --query LogResult | base64 -d)
is "$(cat out.json)" '"one"'
has "$log" "said {'n': 1}"
has "$log" "REPORT RequestId: "
is "$(invoke '{"fail":true}' --query FunctionError)" Unhandled
has "$(cat out.json)" '"errorType": "ValueError"'
is "$(invoke '{"sleep":5}' --query FunctionError)" Unhandled
has "$(cat out.json)" 'Task timed out after 1.00 seconds'

is "$(aws lambda publish-version --function-name story --query Version)" 1
package '"two"'
aws lambda update-function-code --function-name story --zip-file fileb://app.zip >/dev/null
aws lambda wait function-updated-v2 --function-name story
is "$(aws lambda publish-version --function-name story --query Version)" 2
aws lambda create-alias --function-name story --name live --function-version 1 \
  --routing-config 'AdditionalVersionWeights={2=1.0}' >/dev/null
is "$(invoke '{}' --qualifier live --query ExecutedVersion)" 2
is "$(cat out.json)" '"two"'
aws lambda update-alias --function-name story --name live --routing-config '{"AdditionalVersionWeights":{}}' >/dev/null
is "$(invoke '{}' --qualifier live --query ExecutedVersion)" 1

aws lambda put-function-concurrency --function-name story --reserved-concurrent-executions 0 >/dev/null
refused 'TooManyRequestsException' invoke '{}'
aws lambda delete-function-concurrency --function-name story
is "$(invoke '{}' --query StatusCode)" 200
is "$(invoke '{}' --invocation-type Event --query StatusCode)" 202
is "$(aws lambda put-function-event-invoke-config --function-name story --maximum-retry-attempts 0 \
  --destination-config 'OnFailure={Destination=lambed:local}' --query DestinationConfig.OnFailure.Destination)" lambed:local
is "$(aws lambda get-function-event-invoke-config --function-name story --query MaximumRetryAttempts)" 0
aws lambda delete-function-event-invoke-config --function-name story
refused "doesn't have an EventInvokeConfig" aws lambda get-function-event-invoke-config --function-name story
refused 'is not supported by this version of lambed' aws lambda list-event-source-mappings

if [ "$LAMBED_ISOLATION" = process ]; then
  is "$(aws lambda update-function-configuration --function-name story --vpc-config SubnetIds=subnet-a,SecurityGroupIds=sg-a \
    --query VpcConfig.VpcId)" vpc-a
  aws lambda wait function-updated-v2 --function-name story
  is "$(invoke '{}' --query StatusCode)" 200
  is "$(cat out.json)" '"two"'
fi

is "$(aws lambda list-functions --query 'Functions[].FunctionName')" story
aws lambda delete-function --function-name story
refused 'Function not found: arn:aws:lambda:eu-central-1:123456789012:function:story' aws lambda get-function --function-name story
aws iam delete-role --role-name story
