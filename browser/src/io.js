import { io } from "./client.js";

globalThis.io = io;
