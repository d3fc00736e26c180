import type { JoinOptions, Problem, Socket, User } from "./client.js";

export interface RoomOptions extends JoinOptions {
  /** The name that the other members see. */
  userId: string;
  /** The stream to send to all peers. */
  stream?: MediaStream | null;
  /** Call the other members at once, not only after `call()`. Their calls are always answered. Default: true. */
  connect?: boolean;
  /** They stay as they are. Default: those of the server, with credentials that are fetched anew before they end. */
  iceServers?: RTCIceServer[];
  /**
   * Aborting it leaves the room, whether the server has answered or not. Without a limit such as `AbortSignal.timeout(10_000)`
   * a join waits for as long as the socket tries to connect.
   */
  signal?: AbortSignal;
}

export type Member = User;

export interface RoomEvents {
  /** A connection begins. */
  "peer": (peer: Peer) => void;
  /** A peer sends media for the first time. The stream stays the same, and has the tracks that the peer sends at the time. */
  "stream": (stream: MediaStream, peer: Peer) => void;
  "data": (data: string | ArrayBuffer, peer: Peer) => void;
  /** A connection has ended: the member left, one of the two sides hung up, or the other browser has no WebRTC (`unsupported`). */
  "leave": (peer: Peer, reason: string) => void;
  /** A peer's state, stream or channel has changed. */
  "change": (peer: Peer) => void;
  /** A slow peer has received all that was sent to it. */
  "drain": (peer: Peer) => void;
  "members": () => void;
  /**
   * Something failed, and the room goes on. Data that could not be sent is reported before `send` returns. What the server refused
   * is sent anew by itself. Without a listener it goes to the console.
   */
  "error": (error: Error, peer?: Peer) => void;
  /**
   * The room is over for this page: `left`, `kicked`, `room closed`, `replaced` (by a newer `joinRoom`), `refused` (the socket was lost,
   * and may not join again) or `disconnected`. `error` says more.
   */
  "end": (reason: string, error: Error) => void;
}

export interface PeerEvents {
  "change": () => void;
  "stream": (stream: MediaStream) => void;
  /** The data channel is open. */
  "open": () => void;
  "data": (data: string | ArrayBuffer) => void;
  "drain": () => void;
  "error": (error: Error) => void;
}

interface Listening<Events> {
  on<K extends keyof Events>(type: K, listener: Events[K]): this;
  once<K extends keyof Events>(type: K, listener: Events[K]): this;
  off<K extends keyof Events>(type?: K, listener?: Events[K]): this;
}

/** One connection to one other member. */
export interface Peer extends Listening<PeerEvents> {
  readonly socketId: string;
  readonly userId: string | undefined;
  readonly connection: RTCPeerConnection;
  readonly channel: RTCDataChannel;
  readonly state: RTCPeerConnectionState;
  /** What the other side sends; null while it sends nothing. */
  readonly stream: MediaStream | null;
  /**
   * Reports whether the data was sent: only an open channel sends. `error` says why data is not fit to be sent: it is too large, or
   * more than 16 MiB would wait for a slow receiver. `drain` says when there is room again.
   */
  send(data: string | ArrayBuffer | ArrayBufferView): boolean;
  /** Sends this stream instead of the previous one. With null it sends none. */
  setStream(stream: MediaStream | null): void;
  /** Looks for a new path. After a change of the network this happens by itself. */
  restartIce(): void;
}

export interface Room extends Listening<RoomEvents> {
  readonly roomId: string;
  readonly userId: string;
  /** Everybody in the room by socket ID, this member included, in order of joining. */
  readonly members: Map<string, Member>;
  readonly peers: Map<string, Peer>;
  readonly calling: boolean;
  readonly stream: MediaStream | null;
  /** Calls everybody in the room, and from now on everybody who joins. */
  call(stream?: MediaStream | null): void;
  /** Ends all connections, and calls nobody any more. Calls of others are still answered. */
  hangUp(): void;
  /** Sends this stream instead of the previous one, as often as you like. With null it sends none. */
  setStream(stream: MediaStream | null): void;
  /** Sends to all peers. Returns how many of them it could send to. `error` names each other peer whose channel is open. */
  send(data: string | ArrayBuffer | ArrayBufferView): number;
  leave(): void;
}

/**
 * Joins a room, and connects with everybody in it, now and later. A socket is in one room: a newer `joinRoom` ends the former room.
 * @throws {Problem} if the server refuses the join.
 * @throws {DOMException} an `AbortError` if a newer join, a leave or `disconnect()` came first; the signal's reason if it was aborted.
 */
export function joinRoom(socket: Socket, roomId: string, options: RoomOptions): Promise<Room>;

/**
 * Opens the camera and the microphone, or what the constraints ask for. If that fails, the error's message says what to do, and its
 * name is that of `getUserMedia`'s error.
 */
export function openCamera(constraints?: MediaStreamConstraints): Promise<MediaStream>;
