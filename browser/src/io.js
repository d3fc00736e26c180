import { io } from "./client.js";

io.connect = io;
globalThis.io = io;
