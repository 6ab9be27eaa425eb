// CloudWatch Logs subscription -> one alert per kind of error, with the requests it hit, and a metric in embedded metric
// format. An ES module with an asynchronous handler.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const unzip = promisify(gunzip);
const threshold = Number(process.env.ALERT_FROM ?? 1);

// Lambda writes one log stream per execution environment, one invocation after the other: the START above an error names
// the request it belongs to.
function* errorsOf(logEvents) {
  let requestId = null;
  for (const { message, timestamp } of logEvents) {
    requestId = /^START RequestId: (\S+)/.exec(message)?.[1] ?? requestId;
    const error = /^\[ERROR\] (\w+): ([^\n]*)/.exec(message);
    const timeout = /Task timed out after ([\d.]+) seconds/.exec(message);
    if (error) yield { kind: error[1], text: error[2], requestId, timestamp };
    if (timeout) yield { kind: 'Timeout', text: `after ${timeout[1]} s`, requestId, timestamp };
  }
}

export const handler = async (event, context) => {
  const data = JSON.parse((await unzip(Buffer.from(event.awslogs.data, 'base64'))).toString('utf8'));
  const byKind = new Map();
  for (const error of errorsOf(data.logEvents)) {
    byKind.set(error.kind, [...(byKind.get(error.kind) ?? []), error]);
  }
  const alerts = [...byKind.values()]
    .filter((errors) => errors.length >= threshold)
    .sort((a, b) => b.length - a.length || a[0].timestamp - b[0].timestamp)
    .map((errors) => ({
      kind: errors[0].kind,
      text: errors[0].text,
      count: errors.length,
      first: new Date(errors[0].timestamp).toISOString(),
      requests: errors.map((error) => error.requestId),
    }));
  console.log(JSON.stringify({
    _aws: {
      Timestamp: data.logEvents.at(-1)?.timestamp,
      CloudWatchMetrics: [{ Namespace: 'lambed/examples', Dimensions: [['FunctionName']], Metrics: [{ Name: 'Alerts' }] }],
    },
    FunctionName: context.functionName,
    Alerts: alerts.length,
  }));
  return { logGroup: data.logGroup, alerts };
};
