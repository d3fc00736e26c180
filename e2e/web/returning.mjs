// Ten clients that have to come back when their server does: node returning.mjs <url>

import { io } from "signaling-server-client";

const sockets = Array.from({ length: 10 }, () => io(process.argv[2]));
const joins = sockets.map(() => 0);
sockets.forEach((socket, index) => socket.on("room-joined", () => joins[index]++));
const all = async (holds) => {
  while (!joins.every(holds)) await new Promise((resolve) => setTimeout(resolve, 50));
};

sockets.forEach((socket, index) => socket.emit("join-room", "returning", `member ${index}`));
await all((count) => count >= 1);
console.log("connected");
await Promise.race([all((count) => count >= 2), new Promise((resolve) => setTimeout(resolve, 60_000))]);
const accepted = joins.map((count, index) => count < 2 ? false : sockets[index].emitWithAck("ping").then(({ status }) => status === 202));
console.log(`${(await Promise.all(accepted)).filter(Boolean).length} of 10 are back`);
process.exit();
