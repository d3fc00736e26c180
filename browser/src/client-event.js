// Makes a client event of the contract from the arguments of emit. What is wrong with the event, the
// server says.

const BARE = /^(leave-room|typing-.*|ping|heartbeat)$/;

const isObject = (value) => typeof value === "object" && !Array.isArray(value);

/**
 * @param {string} type
 * @param {any} [first]
 * @param {any} [userId]
 * @param {any} [more]
 */
export function clientEvent(type, first, userId, more = null) {
  if (/^(connect(_error)?|disconnect(ing)?|(new|remove)Listener)$/.test(type)) throw new Error(`"${type}" is a reserved event name`);
  let members = first;
  if (BARE.test(type)) members = { requestId: first?.requestId };
  else if (!isObject(first)) {
    members = { message: first };
    // Many tutorials give a name as third argument.
    if (type === "join-room") members = { roomId: first, userId, ...isObject(more) ? more : { metadata: { name: `${more}` } } };
  }
  const event = { ...members, type };
  for (const name in event) {
    // The members of these arrive as they were given.
    const isText = name === "target" || !/^(offer|answer|ice-candidate|signal)$/.test(type);
    if (isText && /^[bn]/.test(typeof event[name])) event[name] += ""; // a number, bigint or boolean
  }
  return event;
}
