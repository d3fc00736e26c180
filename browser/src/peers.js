/*! The browser client of signaling-server: peer connections among the members of a room */

import { Room } from "./room.js";

export { openCamera } from "./camera.js";
export { Peer } from "./peer.js";
export { Room };

// Joins a room, and connects with everybody in it, now and later. Rejects with a Problem if
// the server refuses the join, and with an AbortError if something else came first.
export const joinRoom = (socket, roomId, options) => new Room(socket, roomId, options).joined;
