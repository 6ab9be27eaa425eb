// HTTP API (payload format 2.0) -> a quote for the order in the body. CommonJS with a callback, as many older functions are.
'use strict';

const { createHash } = require('node:crypto');
const catalogue = require('./catalogue.json');

const cents = (amount) => `${Math.floor(amount / 100)}.${String(amount % 100).padStart(2, '0')}`;

function quote(order, currency) {
  const unknown = order.items.filter((item) => !(item.sku in catalogue)).map((item) => item.sku);
  if (unknown.length > 0) throw new RangeError(`not in the catalogue: ${unknown.join(', ')}`);
  const lines = order.items.map(({ sku, quantity }) => {
    const { cents: price, name, bulk } = catalogue[sku];
    const amount = Math.round(price * quantity * (bulk && quantity >= bulk.from ? 1 - bulk.discount : 1));
    return { name, quantity, amount };
  });
  const total = lines.reduce((sum, line) => sum + line.amount, 0);
  return { currency, lines: lines.map((line) => ({ ...line, amount: cents(line.amount) })), total: cents(total) };
}

exports.handler = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = false;
  const body = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString('utf8') : event.body;
  const session = event.cookies?.find((cookie) => cookie.startsWith('session='));
  try {
    const answer = JSON.stringify(quote(JSON.parse(body), event.queryStringParameters?.currency ?? 'USD'));
    const etag = `"${createHash('sha1').update(answer).digest('hex').slice(0, 16)}"`;
    console.info('quoted for %s', session ?? 'nobody');
    const unchanged = event.headers['if-none-match'] === etag;
    callback(null, {
      statusCode: unchanged ? 304 : 200,
      headers: { 'content-type': 'application/json', etag },
      cookies: session ? [`${session}; Max-Age=3600; Secure; HttpOnly`] : [],
      body: unchanged ? '' : answer,
    });
  } catch (error) {
    console.warn('refused: %s', error.message);
    callback(null, { statusCode: 400, body: JSON.stringify({ error: error.message }) });
  }
};
