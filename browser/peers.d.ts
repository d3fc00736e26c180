import type { JoinOptions, Problem, Socket, User } from "./client.js";

export interface RoomOptions extends JoinOptions {
  /** The name that the other members see. */
  userId: string;
  /** The stream to send to all peers. */
  stream?: MediaStream | null;
  /** Call the other members at once, not only after `call()`. Their calls are always answered. Default: true. */
  connect?: boolean;
  /** Default: the ICE servers that the server gave the socket. */
  iceServers?: RTCIceServer[];
}

export type Member = User;

export interface RoomEvents {
  /** A connection begins. */
  "peer": (peer: Peer) => void;
  "stream": (stream: MediaStream, peer: Peer) => void;
  "data": (data: string | ArrayBuffer, peer: Peer) => void;
  /** A connection has ended: the member left, or one of the two sides hung up. */
  "leave": (peer: Peer, reason: string) => void;
  /** A peer's state, stream or channel has changed. */
  "change": (peer: Peer) => void;
  "members": () => void;
}

export interface PeerEvents {
  "change": () => void;
  "stream": (stream: MediaStream) => void;
  /** The data channel is open. */
  "open": () => void;
  "data": (data: string | ArrayBuffer) => void;
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
  /** The stream that the other side sends. */
  readonly stream: MediaStream | null;
  /** Reports whether the data was sent: only an open channel sends. */
  send(data: string | ArrayBuffer): boolean;
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
  setStream(stream: MediaStream | null): void;
  /** Sends to all peers. Returns how many of them it could send to. */
  send(data: string | ArrayBuffer): number;
  leave(): void;
}

/**
 * Joins a room, and connects with everybody in it, now and later.
 * @throws {Problem} if the server refuses the join.
 */
export function joinRoom(socket: Socket, roomId: string, options: RoomOptions): Promise<Room>;
