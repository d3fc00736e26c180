/** What came of an event that the server accepted. */
export interface Accepted {
  status: 202;
}

/** What the server refuses (RFC 9457), or what kept the answer away (`unreachable`, `session-ended`). */
export class Problem extends Error {
  /** A stable URI such as `/problems/target-not-found`; opened in a browser it explains itself. */
  type: string;
  title: string;
  detail: string;
  /** The status of the answer; 0 where there was none. */
  status: number;
  /** Of a validation problem: what to change. */
  errors?: { field: string; rule: string; message: string }[];
}

/** A member of a room. */
export interface User {
  userId: string;
  socketId: string;
  metadata?: Record<string, unknown>;
  /** In `room-joined`: it has had no stream or poll for a few seconds, and may come back. */
  away?: boolean;
}

/** Members of your own may stand beside those of an offer, an answer or a candidate, and travel along. */
type Extra = Record<string, unknown>;

/** What the server sends, by type. `timestamp` is RFC 3339, except in `pong`. */
export interface ServerEvents {
  "room-joined": { type: "room-joined"; roomId: string; userId: string; users: User[]; timestamp: string };
  "room-left": { type: "room-left"; roomId: string; reason: "left" | "kicked" | "room closed"; timestamp: string };
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
    /** With `kicked`: the operator's words of why, if there are any. */
    detail?: string;
  };
}

/** What the client itself tells. */
export interface SocketEvents {
  /** There is a session. `recovered` tells whether it is the one from before. */
  "connect": () => void;
  /** The session is lost, or was ended. A stream that drops and resumes in time tells nothing. */
  "disconnect": (reason: "io client disconnect" | "io server disconnect" | "transport close" | "transport error") => void;
  /** An attempt to connect failed; the next follows by itself while `active`. */
  "connect_error": (error: Error) => void;
  /** The server refused something. Whoever asked for an acknowledgement is told so as well. */
  "error": (problem: Problem) => void;
}

/** What `socket.io` tells. */
export interface ManagerEvents {
  "reconnect_attempt": (attempt: number) => void;
  "reconnect": (attempt: number) => void;
  "reconnect_error": (error: Error) => void;
  "reconnect_failed": () => void;
}

export interface JoinOptions {
  /** Told to the other members; 4 KiB at most. */
  metadata?: Record<string, unknown>;
  /** Where the server demands one. */
  accessToken?: string;
}

/** What may be emitted: the arguments behind the type. */
export interface ClientEvents {
  "join-room": [roomId: string, userId: string, options?: JoinOptions] | [join: { roomId: string; userId: string } & JoinOptions];
  "leave-room": [];
  "offer": [{ target: string; offer: RTCSessionDescriptionInit } & Extra];
  "answer": [{ target: string; answer: RTCSessionDescriptionInit } & Extra];
  "ice-candidate": [{ target: string; candidate: RTCIceCandidateInit | null } & Extra];
  /** Without a target: to everybody else in the room. */
  "signal": [{ target?: string; data: unknown }];
  "send-message": [{ message: string }];
  "typing-start": [];
  "typing-stop": [];
  "ping": [];
}

type Listener<K> =
  K extends keyof SocketEvents ? SocketEvents[K] :
  K extends keyof ServerEvents ? (event: ServerEvents[K]) => void :
  never;

/** The Manager's place in socket.io-client. Here it has its events, and the transport's name. */
export interface Manager {
  on<K extends keyof ManagerEvents>(type: K, listener: ManagerEvents[K]): this;
  once<K extends keyof ManagerEvents>(type: K, listener: ManagerEvents[K]): this;
  off<K extends keyof ManagerEvents>(type?: K, listener?: ManagerEvents[K]): this;
  engine: { transport: { readonly name: "eventsource" | "stream" | "polling" | undefined } };
}

export interface Options {
  /** Connect at once (true). */
  autoConnect?: boolean;
  /** Connect again after an attempt that failed (true). */
  reconnection?: boolean;
  /** How many attempts may fail in a row (Infinity). */
  reconnectionAttempts?: number;
  /** Milliseconds until the second attempt, at most; each next one may take twice as long (1000). */
  reconnectionDelay?: number;
  /** The most that an attempt waits for (15000). */
  reconnectionDelayMax?: number;
  /** What socket.io-client takes besides means nothing here, and does no harm. */
  [option: string]: unknown;
}

export class Socket {
  private constructor();
  /** The socket's public ID, while connected. */
  readonly id: string | undefined;
  readonly connected: boolean;
  readonly disconnected: boolean;
  /** Whether it connects again by itself. */
  readonly active: boolean;
  /** Whether the last `connect` found the session from before, with its room. */
  readonly recovered: boolean;
  /** For `new RTCPeerConnection({ iceServers })`, as the server gave them. */
  readonly iceServers: RTCIceServer[];
  readonly io: Manager;

  connect(): this;
  /** Leaves at once. What was emitted before is still sent. */
  disconnect(): this;

  on<K extends keyof SocketEvents | keyof ServerEvents>(type: K, listener: Listener<K>): this;
  once<K extends keyof SocketEvents | keyof ServerEvents>(type: K, listener: Listener<K>): this;
  /** Without a listener all of the type go, without a type all there are. */
  off<K extends keyof SocketEvents | keyof ServerEvents>(type?: K, listener?: Listener<K>): this;
  onAny(listener: <K extends keyof ServerEvents>(type: K, event: ServerEvents[K]) => void): this;
  offAny(listener?: (type: never, event: never) => void): this;

  /** Sends in order, exactly once, as soon as there is a session. The callback gets what the server answered. */
  emit<K extends keyof ClientEvents>(type: K, ...args: [...ClientEvents[K], ack: (answer: Accepted | Problem) => void]): this;
  emit<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): this;
  /** Resolves when the server has accepted the event, rejects with a {@link Problem}. */
  emitWithAck<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): Promise<Accepted>;
  /** The same with a limit in milliseconds. What was not sent by then never is. */
  timeout(ms: number): {
    emit<K extends keyof ClientEvents>(type: K, ...args: [...ClientEvents[K], ack: (error: Error | null, answer?: Accepted) => void]): Socket;
    emit<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): Socket;
    emitWithAck<K extends keyof ClientEvents>(type: K, ...args: ClientEvents[K]): Promise<Accepted>;
  };
}

/** Opens a socket to the server at the address, by default that of the page. */
export function io(url?: string | URL, options?: Options): Socket;
export function io(options?: Options): Socket;
export { io as connect };
