// Listeners, as in socket.io-client.

// A listener that throws must not stop the next listener, or the next event. Its error goes to
// the error handler of the page or the process.
const call = (listener, args) => {
  try {
    listener(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
};

export class Emitter {
  #listeners = new Map();
  #any = [];

  on(type, listener) {
    this.#listeners.set(type, [...this.listeners(type), listener]);
    return this;
  }

  once(type, listener) {
    const only = (...args) => {
      this.off(type, only);
      listener(...args);
    };
    only.listener = listener;
    return this.on(type, only);
  }

  // Without a listener it removes all listeners of the type. Without a type it removes the
  // listeners of all types.
  off(type, listener) {
    if (type === undefined) this.#listeners.clear();
    else {
      const rest = this.listeners(type).filter((each) => listener && each !== listener && each.listener !== listener);
      this.#listeners.set(type, rest);
    }
    return this;
  }

  onAny(listener) {
    this.#any = [...this.#any, listener];
    return this;
  }

  offAny(listener) {
    this.#any = this.#any.filter((each) => listener && each !== listener);
    return this;
  }

  listeners(type) {
    return this.#listeners.get(type) ?? [];
  }

  // Calls the listeners of a type. The listeners of onAny hear only what the server sent.
  tell(type, ...args) {
    for (const listener of this.listeners(type)) call(listener, args);
  }

  // Calls the listeners of an event of the server.
  receive(type, data) {
    for (const listener of this.#any) call(listener, [type, data]);
    this.tell(type, data);
  }
}
