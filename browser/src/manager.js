// The Manager of socket.io-client: the address and the options of one socket, and the events of
// its connection.

import { Emitter, addAliases } from "./emitter.js";
import { Socket } from "./socket.js";
import { readAddress } from "./address.js";

const DEFAULTS = {
  reconnection: true, reconnectionAttempts: Infinity, reconnectionDelay: 1000, reconnectionDelayMax: 15_000,
};

export class Manager extends Emitter {
  // Pages that show the transport find it here.
  engine = Object.assign(new Emitter(), { transport: {} });

  #socket;

  // Without an address it is the page's own server.
  constructor(address, options) {
    super();
    if (address && typeof address === "object" && !address.href) [address, options] = [undefined, address];
    this.opts = { ...options };
    for (const name in DEFAULTS) this.opts[name] ??= DEFAULTS[name];
    this.opts.query ??= /^[^?#]*(\?[^#]*)/.exec(address)?.[1];
    this.address = address;
    this.uri = readAddress(address, this.opts.path);
  }

  // There is one socket, whatever the namespace.
  socket() {
    return this.#socket ??= new Socket(this);
  }

  open() {
    this.socket().connect();
    return this;
  }
}

const { open, tell } = Manager.prototype;
addAliases(Manager, { connect: open, emit: tell });

for (const name in DEFAULTS) {
  Manager.prototype[name] = function (value) {
    if (value === undefined) return this.opts[name];
    this.opts[name] = value;
    return this;
  };
}
