// The ICE servers of a room's connections. Their credentials may expire, so they are fetched
// anew when half of their time is over.
//
// The clock of this device may be wrong by hours. So the time is that of the server: it is in the
// server's events, and this device only counts on from there.

const PATIENCE = 5000; // ms to wait for fresh credentials; then the old ones have to do
const AGAIN = 10_000; // ms until the next attempt after one that failed
const SHORTEST = 1000; // ms between two renewals
const LONGEST = 0x7fffffff; // ms that a timer can wait

// The steady clock may stand still while the device sleeps. The wall clock may be set back.
const start = { wall: Date.now(), steady: performance.now() };
const clock = () => Math.max(Date.now() - start.wall, performance.now() - start.steady);

// The username of a credential that expires begins with the time of its end, in seconds.
const endOf = (servers) => Math.min(...servers.map(({ username }) => Number(/^(\d+):/.exec(username ?? "")?.[1] ?? Infinity) * 1000));

export class IceServers {
  #socket;
  #own; // the app's servers, which stay as they are
  #now; // ms; only differences count
  #offset = -Infinity; // from #now to the server's time; a delayed event makes it too small
  #seen; // the socket's servers that the next two belong to
  #staleAt = Infinity;
  #renewing;
  #timer;

  /** @param {AbortSignal} signal ends the renewals */
  constructor(socket, own, signal, now = clock) {
    this.#socket = socket;
    this.#own = own;
    this.#now = now;
    signal.addEventListener("abort", () => {
      clearTimeout(this.#timer);
      this.#own ??= socket.iceServers;
    });
  }

  get servers() {
    return this.#own ?? this.#socket.iceServers;
  }

  // Learns the server's time from an event.
  hear(timestamp) {
    const time = Date.parse(timestamp);
    if (time) this.#offset = Math.max(this.#offset, time - this.#now());
    this.#look();
  }

  isStale() {
    this.#look();
    return !this.#own && this.#now() >= this.#staleAt;
  }

  // Resolves when the credentials are good, or when the server does not give any for now.
  async renewed() {
    if (!this.isStale()) return;
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    let timer;
    await Promise.race([this.#renewing, new Promise((resolve) => {
      timer = setTimeout(resolve, PATIENCE);
    })]);
    clearTimeout(timer);
  }

  async #renew() {
    try {
      await this.#socket.fetchIceServers();
      this.#look();
    } catch {
      this.#wait(AGAIN); // the socket is without a server, and gets new ones when it comes back
    }
  }

  #look() {
    const servers = this.#socket.iceServers;
    if (this.#own || servers === this.#seen || this.#offset === -Infinity || !this.#socket.fetchIceServers) return;
    this.#seen = servers;
    const now = this.#now();
    const left = endOf(servers) - (now + this.#offset);
    this.#staleAt = now + left / 2;
    if (left < Infinity) this.#wait(left / 2);
    else clearTimeout(this.#timer);
  }

  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.renewed(), Math.min(Math.max(ms, SHORTEST), LONGEST));
  }
}
