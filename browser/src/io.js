import { io } from "./client.js";

globalThis.io = Object.assign(io, { connect: io });
