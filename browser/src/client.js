/*! signaling-server */

import { Manager } from "./manager.js";
import { Socket } from "./socket.js";

export { Problem } from "./problem.js";
export { Manager, Socket };

// Of Socket.IO, for pages that show it.
export const protocol = 5;

// io(url?, options?): without an address it connects to the page's own server.
export const io = (url, options) => new Manager(url, options).socket();

Object.assign(io, { io, connect: io, Manager, Socket, protocol });

export { io as connect, io as default };
