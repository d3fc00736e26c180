// Receives the webhooks of a signaling server, and prints who is in which room.
// Usage: WEBHOOK_SECRET=whsec_… node receiver.mjs 4000
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

// How old a webhook may be, in seconds. It bounds for how long somebody can repeat what they have seen.
const tolerance = 5 * 60;
const secret = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64');
if (secret.length === 0) throw new Error('WEBHOOK_SECRET must be whsec_ and base64');

const seen = new Set(); // IDs; a real back end has them in its database

/** Returns why a webhook is not signed by the secret, or not new; undefined if it is. */
function whatIsWrong(headers, body) {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= tolerance)) return 'the timestamp is too old, or missing';
  const want = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
  const isRight = (signature) => {
    const [version, text = ''] = signature.split(',');
    const got = Buffer.from(text, 'base64');
    return version === 'v1' && got.length === want.length && timingSafeEqual(got, want);
  };
  return (headers['webhook-signature'] ?? '').split(' ').some(isRight) ? undefined : 'no signature is right';
}

function accept(id, { type, data }) {
  if (seen.has(id)) {
    console.log('repeated', id);
    return;
  }
  seen.add(id);
  console.log([type, data.roomId, data.userId, data.reason].filter(Boolean).join(' '));
}

const server = createServer(async (request, response) => {
  try {
    const chunks = [];
    let size = 0;
    for await (const chunk of request) {
      size += chunk.length;
      if (size > 65536) throw new Error('the body is too long');
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks); // the bytes as they came: the signature is over these
    const wrong = whatIsWrong(request.headers, body);
    if (wrong) {
      response.writeHead(401).end(wrong);
      return;
    }
    accept(request.headers['webhook-id'], JSON.parse(body.toString()));
    response.writeHead(204).end();
  } catch (error) {
    response.writeHead(400).end(error.message);
  }
});
server.listen(Number(process.argv[2] ?? 4000), '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
