/*! The peers of signaling-server's browser client: the mesh of a room by perfect negotiation. */

import { Room } from "./room.js";

export { Peer } from "./peer.js";
export { Room };

// Joins a room and connects with everybody there, now and later. Rejects with a Problem
// where the server does not let it in.
export const joinRoom = (socket, roomId, options) => new Room(socket, roomId, options).joined;
