import type { Socket } from "./client.js";
import type { Member, Peer, Room, RoomOptions } from "./peers.js";

export interface UseRoomOptions extends Omit<RoomOptions, "signal"> {
  /** Called with what a peer's `send` brings. */
  onData?: (data: string | ArrayBuffer, peer: Peer) => void;
}

/** What a peer was like when the component was rendered. */
export interface PeerView {
  readonly socketId: string;
  readonly userId: string | undefined;
  readonly state: RTCPeerConnectionState;
  /** What the peer sends; null while it sends nothing. */
  readonly stream: MediaStream | null;
  /** Whether the peer sends a picture, and sound. */
  readonly video: boolean;
  readonly audio: boolean;
  readonly peer: Peer;
}

export interface RoomView {
  /** `ended`: the join failed or the room is over, and `error` says why. A socket that connects again joins again. */
  readonly status: "idle" | "joining" | "joined" | "ended";
  readonly room: Room | null;
  /** Everybody in the room, this member included. */
  readonly members: readonly Member[];
  readonly peers: readonly PeerView[];
  /** The newest error. */
  readonly error: Error | null;
}

/**
 * Is in a room while the component is mounted. Without a socket or a room ID it is in no room.
 *
 * Make the socket outside of the component. Another `stream` is sent without joining again; another room, `userId`, `metadata`,
 * `accessToken` or `connect` joins anew.
 */
export function useRoom(socket: Socket | null | undefined, roomId: string | null | undefined, options: UseRoomOptions): RoomView;

/** Opens the camera and the microphone, or what the constraints ask for, while it is on. The error's message says what to do. */
export function useCamera(isOn: boolean, constraints?: MediaStreamConstraints): { stream: MediaStream | null; error: Error | null };
