// Stage 2, Node.js: sums the invocations up and puts them into classes of billed duration.
const classes = [10, 100, 1000, Infinity];
const pricePerGbSecond = 0.0000166667;
const pricePerRequest = 0.0000002;

export const handler = async ({ function: name, invocations }) => {
  const gbSeconds = invocations.reduce((sum, i) => sum + (i.billed_ms / 1000) * (i.memory_mb / 1024), 0);
  const classOf = ({ billed_ms }) => classes.findIndex((limit) => billed_ms <= limit);
  const histogram = classes.map((limit, index) => ({
    up_to_ms: Number.isFinite(limit) ? limit : null,
    count: invocations.filter((invocation) => classOf(invocation) === index).length,
  }));
  return {
    function: name,
    requests: invocations.length,
    failed: invocations.filter((invocation) => invocation.failed).length,
    gb_seconds: Number(gbSeconds.toFixed(4)),
    dollars_per_million: Number(((gbSeconds * pricePerGbSecond) / invocations.length * 1e6 + pricePerRequest * 1e6).toFixed(2)),
    histogram,
  };
};
