// Listeners as socket.io-client has them.

// A listener that throws must not keep the next one, or the next event, from being
// handled: its error goes to the page's or the process's own handler.
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

  // Without a listener all of the type go, without a type all there are.
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

  // Tells the listeners of a type. Those for any type hear what the server sent only.
  tell(type, ...args) {
    for (const listener of this.listeners(type)) call(listener, args);
  }

  receive(type, data) {
    for (const listener of this.#any) call(listener, [type, data]);
    this.tell(type, data);
  }
}
