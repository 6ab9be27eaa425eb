// A whole story with the AWS SDK for JavaScript v3; LAMBED_URL says where. The zip is made by Python, which is there for the tests.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IAMClient, CreateRoleCommand, DeleteRoleCommand, GetRoleCommand } from '@aws-sdk/client-iam';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import {
  CreateAliasCommand, CreateFunctionCommand, DeleteFunctionCommand, DeleteFunctionConcurrencyCommand, GetFunctionCommand,
  InvokeCommand, Lambda, ListFunctionsCommand, ListLayersCommand, PublishVersionCommand, PutFunctionConcurrencyCommand,
  PutFunctionEventInvokeConfigCommand,
  UpdateAliasCommand, UpdateFunctionCodeCommand, waitUntilFunctionActiveV2, waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';

const settings = { endpoint: process.env.LAMBED_URL, region: 'eu-central-1', maxAttempts: 1 };
const lambda = new Lambda(settings);
const iam = new IAMClient(settings);
const sts = new STSClient(settings);

function zip(text) {
  const folder = mkdtempSync(join(tmpdir(), 'lambed-story-'));
  try {
    writeFileSync(join(folder, 'index.mjs'), text);
    execFileSync('python3', ['-m', 'zipfile', '-c', 'out.zip', 'index.mjs'], { cwd: folder });
    return readFileSync(join(folder, 'out.zip'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const source = (version) => `export const handler = async (event, context) => {
  console.log('said', JSON.stringify(event));
  if (event.fail) throw new TypeError('on purpose');
  if (event.sleep) await new Promise((done) => setTimeout(done, event.sleep * 1000));
  return { version: ${version}, id: context.awsRequestId, arn: context.invokedFunctionArn };
};
`;

async function refused(promise, name, status, text) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.name, name);
    assert.equal(error.$metadata.httpStatusCode, status);
    assert.ok(error.message.includes(text), error.message);
    return true;
  });
}

async function invoke(event, more = {}) {
  const answer = await lambda.send(new InvokeCommand({ FunctionName: 'story', Payload: JSON.stringify(event), ...more }));
  return { answer, value: JSON.parse(Buffer.from(answer.Payload).toString() || 'null') };
}

const arn = 'arn:aws:lambda:eu-central-1:123456789012:function:story';
assert.equal((await sts.send(new GetCallerIdentityCommand({}))).Account, '123456789012');
const { Role: role } = await iam.send(new CreateRoleCommand({ RoleName: 'story', AssumeRolePolicyDocument: '{"Version":"2012-10-17"}' }));
assert.equal((await iam.send(new GetRoleCommand({ RoleName: 'story' }))).Role.Arn, role.Arn);

const made = await lambda.send(new CreateFunctionCommand({
  FunctionName: 'story', Runtime: 'nodejs20.x', Role: role.Arn, Handler: 'index.handler', Code: { ZipFile: zip(source(1)) }, Timeout: 1,
}));
assert.equal(made.State, 'Pending');
await waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 30 }, { FunctionName: 'story' });
assert.equal((await lambda.send(new GetFunctionCommand({ FunctionName: arn }))).Configuration.State, 'Active');

let { answer, value } = await invoke({ n: 1 }, { LogType: 'Tail' });
assert.equal(answer.StatusCode, 200);
assert.equal(answer.ExecutedVersion, '$LATEST');
assert.equal(value.version, 1);
assert.equal(value.arn, arn);
assert.equal(value.id, answer.$metadata.requestId);
const log = Buffer.from(answer.LogResult, 'base64').toString();
assert.match(log, /START RequestId: /);
assert.match(log, /said \{"n":1\}/);
assert.match(log, /REPORT RequestId: /);
({ answer, value } = await invoke({ fail: true }));
assert.equal(answer.FunctionError, 'Unhandled');
assert.equal(value.errorType, 'TypeError');
({ answer, value } = await invoke({ sleep: 5 }));
assert.equal(value.errorType, 'Sandbox.Timedout');

assert.equal((await lambda.send(new PublishVersionCommand({ FunctionName: 'story' }))).Version, '1');
await lambda.send(new UpdateFunctionCodeCommand({ FunctionName: 'story', ZipFile: zip(source(2)) }));
await waitUntilFunctionUpdatedV2({ client: lambda, maxWaitTime: 30 }, { FunctionName: 'story' });
assert.equal((await lambda.send(new PublishVersionCommand({ FunctionName: 'story' }))).Version, '2');
await lambda.send(new CreateAliasCommand({
  FunctionName: 'story', Name: 'live', FunctionVersion: '1', RoutingConfig: { AdditionalVersionWeights: { 2: 1.0 } },
}));
({ answer, value } = await invoke({}, { Qualifier: 'live' }));
assert.equal(answer.ExecutedVersion, '2');
assert.equal(value.version, 2);
await lambda.send(new UpdateAliasCommand({ FunctionName: 'story', Name: 'live', RoutingConfig: {} }));
assert.equal((await invoke({}, { Qualifier: 'live' })).answer.ExecutedVersion, '1');

await lambda.send(new PutFunctionConcurrencyCommand({ FunctionName: 'story', ReservedConcurrentExecutions: 0 }));
await refused(invoke({}), 'TooManyRequestsException', 429, 'Rate Exceeded.');
await lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName: 'story' }));
const accepted = await lambda.send(new InvokeCommand({ FunctionName: 'story', InvocationType: 'Event', Payload: '{}' }));
assert.equal(accepted.StatusCode, 202);
const config = await lambda.send(new PutFunctionEventInvokeConfigCommand({ FunctionName: 'story', MaximumRetryAttempts: 0 }));
assert.equal(config.FunctionArn, `${arn}:$LATEST`);
assert.ok(config.LastModified instanceof Date);
await refused(lambda.send(new ListLayersCommand({})), 'OperationNotSupportedException', 501, 'ListLayers');
assert.deepEqual((await lambda.send(new ListFunctionsCommand({}))).Functions.map((f) => f.FunctionName), ['story']);

await lambda.send(new DeleteFunctionCommand({ FunctionName: 'story' }));
await refused(lambda.send(new GetFunctionCommand({ FunctionName: 'story' })), 'ResourceNotFoundException', 404, `Function not found: ${arn}`);
await iam.send(new DeleteRoleCommand({ RoleName: 'story' }));
