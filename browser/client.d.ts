/** The answer to an event that the server accepted. */
export interface Accepted {
  status: 202;
}

/** Why the server refused something (RFC 9457), or why no answer came (`unreachable`, `session-ended`). */
export class Problem extends Error {
  /** A stable URI such as `/problems/target-not-found`. The server has a page there that explains the problem. */
  type: string;
  title: string;
  detail: string;
  /** The status of the answer; 0 if there was no answer. */
  status: number;
  /** With `validation-failed`: what to change. */
  errors?: { field: string; rule: string; message: string }[];
}

/** A member of a room. */
export interface User {
  userId: string;
  socketId: string;
  metadata?: Record<string, unknown>;
  /** In `room-joined`: the member has had no stream or poll for a few seconds, and may come back. */
  away?: boolean;
}

/** An offer, an answer or a candidate may have other members of your own. They are relayed too. */
type Extra = Record<string, unknown>;

/** The events of the server, by type. `timestamp` is RFC 3339, except in `pong`. */
export interface ServerEvents {
  "room-joined": { type: "room-joined"; roomId: string; userId: string; users: User[]; requestId?: string; timestamp: string };
  "room-left": { type: "room-left"; roomId: string; reason: "left" | "kicked" | "room closed"; requestId?: string; timestamp: string };
  "user-connected": { type: "user-connected"; userId: string; socketId: string; metadata?: Record<string, unknown>; timestamp: string };
  "user-disconnected": {
    type: "user-disconnected"; userId: string; socketId: string; timestamp: string;
    reason: "left" | "kicked" | "room closed" | "client disconnect" | "transport close" | "slow consumer" | "server shutdown" | "node lost";
  };
  "user-away": { type: "user-away"; userId: string; socketId: string; timestamp: string };
  "user-back": { type: "user-back"; userId: string; socketId: string; timestamp: string };
  "offer": { type: "offer"; from: string; target: string; offer: { type: "offer"; sdp: string } } & Extra;
  "answer": { type: "answer"; from: string; target: string; answer: { type: "answer" | "pranswer"; sdp: string } } & Extra;
  "ice-candidate": { type: "ice-candidate"; from: string; target: string; candidate: RTCIceCandidateInit | null } & Extra;
  "signal": { type: "signal"; from: string; target?: string; data: unknown };
  "new-message": { type: "new-message"; id: string; roomId: string; userId: string; socketId: string; message: string; timestamp: string };
  "user-typing": { type: "user-typing"; userId: string; socketId: string; isTyping: boolean };
  /** `timestamp` in milliseconds since the epoch. */
  "pong": { type: "pong"; timestamp: number };
  "announcement": { type: "announcement"; roomId: string; data: unknown; timestamp: string };
  "server-shutdown": { type: "server-shutdown"; message: string; timestamp: string; reconnectAfter: number };
  "disconnected": {
    type: "disconnected"; retryAfter?: number; timestamp: string;
    reason: "kicked" | "slow consumer" | "replaced" | "at capacity" | "rate limited" | "draining";
    /** With `kicked`: the reason that the operator gave, if any. */
    detail?: string;
  };
}

/** The events of the client itself. A session is the client's socket on the server. */
export interface SocketEvents {
  /** The client has a session. `recovered` reports whether it is the same session as before. */
  "connect": () => void;
  /** The session has ended or is lost. A stream that drops and resumes in time does not cause this. */
  "disconnect": (reason: "io client disconnect" | "io server disconnect" | "transport close" | "transport error") => void;
  /**
   * An attempt to connect failed. While `active`, the next attempt follows by itself. If the socket is
   * `connected`, its stream works, but no POST has reached the server for more than two seconds.
   */
  "connect_error": (error: Error) => void;
  /** The server refused something. The callback of `emit` and the promise of `emitWithAck` get it as well. */
  "error": (problem: Problem) => void;
}

/** The events of `socket.io`. */
export interface ManagerEvents {
  "reconnect_attempt": (attempt: number) => void;
  "reconnect": (attempt: number) => void;
  "reconnect_error": (error: Error) => void;
  "reconnect_failed": () => void;
  /** An attempt to connect failed, the first or a later one. */
  "error": (error: Error) => void;
}

export interface JoinOptions {
  /** For the other members; at most 4 KiB as JSON. */
  metadata?: Record<string, unknown> | null;
  /** Needed if the server demands access tokens. */
  accessToken?: string | null;
}

export interface RequestOptions {
  /** Names the request: the `room-joined` or `room-left` that answers it bears the same. 1 to 64 visible ASCII characters. */
  requestId?: string | null;
}

/** The arguments of `emit` after the type. A member that is null is absent. */
export interface ClientEvents {
  "join-room": [roomId: string, userId: string, options?: JoinOptions & RequestOptions | null] | [join: { roomId: string; userId: string } & JoinOptions & RequestOptions];
  "leave-room": [options?: RequestOptions | null];
  "offer": [{ target: string; offer: RTCSessionDescriptionInit } & Extra];
  "answer": [{ target: string; answer: RTCSessionDescriptionInit } & Extra];
  "ice-candidate": [{ target: string; candidate: RTCIceCandidateInit | null } & Extra];
  /** Without a target it goes to all other members of the room. */
  "signal": [{ target?: string | null; data: unknown }];
  "send-message": [{ message: string }];
  "typing-start": [];
  "typing-stop": [];
  "ping": [];
}

type Listener<K> =
  K extends keyof SocketEvents ? SocketEvents[K] :
  K extends keyof ServerEvents ? (event: ServerEvents[K]) => void :
  never;

/** Listeners, under all names that socket.io-client has for them. */
interface Listening<Events> {
  on<K extends keyof Events>(type: K, listener: Events[K]): this;
  once<K extends keyof Events>(type: K, listener: Events[K]): this;
  /** Without a listener it removes all listeners of the type. Without a type it removes all listeners. */
  off<K extends keyof Events>(type?: K, listener?: Events[K]): this;
  addListener<K extends keyof Events>(type: K, listener: Events[K]): this;
  addEventListener<K extends keyof Events>(type: K, listener: Events[K]): this;
  removeListener<K extends keyof Events>(type?: K, listener?: Events[K]): this;
  removeEventListener<K extends keyof Events>(type?: K, listener?: Events[K]): this;
  removeAllListeners<K extends keyof Events>(type?: K): this;
  listeners<K extends keyof Events>(type: K): Events[K][];
  hasListeners(type: keyof Events): boolean;
}

/** The address and the options of one socket, as in socket.io-client. docs/socket-io.md lists what it lacks. */
export class Manager {
  constructor(url?: string | URL | null, options?: Options);
  constructor(options?: Options);
  /** The address of the server, or undefined if there is no such address. */
  readonly uri: string | undefined;
  readonly opts: Options;
  /** The name of the transport that is tried, or works. */
  readonly engine: { transport: { readonly name: "eventsource" | "stream" | "polling" | undefined } };
  /** There is one socket, whatever the namespace. */
  socket(namespace?: string): Socket;
  open(): this;
  connect(): this;
  reconnection(): boolean;
  reconnection(value: boolean): this;
  reconnectionAttempts(): number;
  reconnectionAttempts(value: number): this;
  reconnectionDelay(): number;
  reconnectionDelay(ms: number): this;
  reconnectionDelayMax(): number;
  reconnectionDelayMax(ms: number): this;
}
export interface Manager extends Listening<ManagerEvents> {}

export interface Options {
  /** Connect at once. Default: true. */
  autoConnect?: boolean;
  /** Connect again after a failed attempt. Default: true. */
  reconnection?: boolean;
  /** How many attempts may fail in a row. Default: Infinity. */
  reconnectionAttempts?: number;
  /** The longest wait before the second attempt, in milliseconds. Each later wait may be twice as long. Default: 1000. */
  reconnectionDelay?: number;
  /** The longest wait before any attempt, in milliseconds. Default: 15000. */
  reconnectionDelayMax?: number;
  /** Goes with each request, in the query of its address. Default: the query of the server's address. */
  query?: Record<string, string | number | boolean> | string;
  /** Go with each request. For a page of another origin, a proxy must allow them (CORS). The client's own headers take the place of yours, such as `Authorization`. */
  extraHeaders?: Record<string, string>;
  /** The path below which a proxy serves the server. `/socket.io` is ignored. Default: the path of the address. */
  path?: string;
  /** Ignored: give each join its `accessToken`. */
  auth?: unknown;
  /** Ignored: the server sets no cookies, and a page sends those of its own origin in any case. */
  withCredentials?: boolean;
  /**
   * All other options of socket.io-client are ignored: `ackTimeout`, `retries`, `timeout`, `randomizationFactor`, `transports`,
   * `transportOptions`, `upgrade`, `rememberUpgrade`, `tryAllTransports`, `forceNew`, `multiplex`, `forceBase64`, `timestampRequests`,
   * `timestampParam`, `protocols`, `parser`, `agent`, `autoUnref`, `closeOnBeforeunload`, `useNativeTimers` and those of TLS.
   */
  [option: string]: unknown;
}

type SocketListeners = { [K in keyof SocketEvents | keyof ServerEvents]: Listener<K> };
type AnyListener = <K extends keyof ServerEvents>(type: K, event: ServerEvents[K]) => void;
type OutgoingListener = (type: keyof ClientEvents, ...args: any[]) => void;

export class Socket {
  private constructor();
  /** The public ID of the socket, while connected. */
  readonly id: string | undefined;
  readonly connected: boolean;
  readonly disconnected: boolean;
  /** Whether it reconnects by itself. */
  readonly active: boolean;
  /** Whether the last `connect` resumed the earlier session, with its room. */
  readonly recovered: boolean;
  /** For `new RTCPeerConnection({ iceServers })`, as the server gave them. */
  readonly iceServers: RTCIceServer[];
  readonly io: Manager;
  /** Always empty here. */
  readonly sendBuffer: [];
  readonly receiveBuffer: [];

  /**
   * Asks the server for ICE servers with fresh credentials, and keeps them as `iceServers`. Credentials may expire, so ask before a
   * call that begins long after `connect`. Rejects with a {@link Problem}.
   */
  fetchIceServers(): Promise<RTCIceServer[]>;

  connect(): this;
  open(): this;
  /** Ends the session at once. Events that were emitted before are still sent. */
  disconnect(): this;
  close(): this;

  /** Hears every event of the server, before the listeners of its type. */
  onAny(listener: AnyListener): this;
  prependAny(listener: AnyListener): this;
  offAny(listener?: (type: never, event: never) => void): this;
  listenersAny(): AnyListener[];
  /** Hears every event that is emitted, when it is emitted. */
  onAnyOutgoing(listener: OutgoingListener): this;
  prependAnyOutgoing(listener: OutgoingListener): this;
  offAnyOutgoing(listener?: OutgoingListener): this;
  listenersAnyOutgoing(): OutgoingListener[];

  /**
   * Sends the event as soon as there is a session: in order, and exactly once. The callback gets the answer. Numbers become strings if
   * the contract wants a string.
   */
  emit<K extends keyof ClientEvents>(type: K, ...args: [...ClientEvents[K], ack: (answer: Accepted | Problem) => void]): this;
  emit<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): this;
  /** Resolves when the server has accepted the event. Rejects with a {@link Problem}. */
  emitWithAck<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): Promise<Accepted>;
  /** Emits the event `message`, which the contract does not have: the server refuses it. */
  send(...args: any[]): this;
  /** Drops the next event if the socket is not connected. */
  readonly volatile: this;
  /** Emits the next event with a time limit in milliseconds. An event that was not sent by then is never sent. */
  timeout(ms: number): {
    emit<K extends keyof ClientEvents>(type: K, ...args: [...ClientEvents[K], ack: (error: Error | null, answer?: Accepted) => void]): Socket;
    emit<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): Socket;
    emitWithAck<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): Promise<Accepted>;
  };
  /** Has no effect. */
  compress(compress: boolean): this;
}
export interface Socket extends Listening<SocketListeners> {}

/**
 * Opens a socket to the server at this address. Default: the page's own server. An address may lack its scheme, as in
 * `localhost:3002`. If there is no such address, the socket is not active, and `connect_error` says so.
 */
export function io(url?: string | URL | null, options?: Options): Socket;
export function io(options?: Options): Socket;
export declare namespace io {
  export { io, io as connect, Manager, Socket, protocol };
}
/** Of Socket.IO, for pages that show it. */
export const protocol: number;
export { io as connect, io as default };
