// Listeners, as in socket.io-client.

// A listener that throws must not stop the next listener, or the next event. Its error goes to
// the error handler of the page or the process.
export const call = (self, listener, args) => {
  try {
    listener.apply(self, args);
  } catch (error) {
    setTimeout(() => {
      throw error;
    });
  }
};

export class Emitter {
  #listeners = new Map();

  on(type, listener) {
    this.#listeners.set(type, [...this.listeners(type), listener]);
    return this;
  }

  prepend(type, listener) {
    this.#listeners.set(type, [listener, ...this.listeners(type)]);
    return this;
  }

  once(type, listener) {
    const only = (...args) => {
      this.off(type, only);
      listener.apply(this, args);
    };
    only.listener = listener;
    return this.on(type, only);
  }

  // Without a listener it removes all listeners of the type. Without a type it removes the
  // listeners of all types. A listener that is undefined by mistake removes nothing.
  off(...args) {
    const [type, listener] = args;
    if (!args.length) this.#listeners.clear();
    else this.#listeners.set(type, this.listeners(type).filter((each) => args.length > 1 && each !== listener && (each.listener ?? each) !== listener));
    return this;
  }

  listeners(type) {
    return this.#listeners.get(type) ?? [];
  }

  hasListeners(type) {
    return this.listeners(type).length > 0;
  }

  // Calls the listeners of a type.
  tell(type, ...args) {
    for (const listener of this.listeners(type)) call(this, listener, args);
  }
}

// Gives a class the other names that socket.io-client has for the same.
export function addAliases({ prototype }, aliases) {
  const { on, off } = prototype;
  Object.assign(prototype, {
    addListener: on, addEventListener: on, removeListener: off, removeEventListener: off, removeAllListeners: off, ...aliases,
  });
}
