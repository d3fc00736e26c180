import type { JoinOptions, Problem, Socket, User } from "./client.js";

export interface RoomOptions extends JoinOptions {
  /** The name that the others see. */
  userId: string;
  /** What is sent to everybody. */
  stream?: MediaStream | null;
  /** Connect with everybody at once (true), or not before `call()`. Whoever calls is answered either way. */
  connect?: boolean;
  /** By default those that the server gave the socket. */
  iceServers?: RTCIceServer[];
}

export type Member = User;

export interface RoomEvents {
  /** A connection begins. */
  "peer": (peer: Peer) => void;
  "stream": (stream: MediaStream, peer: Peer) => void;
  "data": (data: string | ArrayBuffer, peer: Peer) => void;
  /** A connection has ended: its member left, hung up, or this side did. */
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
  /** What the other sends. */
  readonly stream: MediaStream | null;
  /** Answers whether it could go: not before the channel is open. */
  send(data: string | ArrayBuffer): boolean;
  /** Sends this stream, and no other any more; null sends none. */
  setStream(stream: MediaStream | null): void;
  /** Looks for a way again. After a change of the network this happens by itself. */
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
  /** Calls everybody who is here, and from now on everybody who comes. */
  call(stream?: MediaStream | null): void;
  /** Ends all connections, and calls nobody any more. */
  hangUp(): void;
  setStream(stream: MediaStream | null): void;
  /** Sends to all peers, and answers how many that reaches. */
  send(data: string | ArrayBuffer): number;
  leave(): void;
}

/**
 * Joins a room and connects with everybody there, now and later.
 * @throws {Problem} where the server does not let it in.
 */
export function joinRoom(socket: Socket, roomId: string, options: RoomOptions): Promise<Room>;
