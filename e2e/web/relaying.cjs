const COUNT = 200;

// Sends as soon as the other process is in the room, and ends when it has received everything.
exports.relay = (io) => {
  const [url, name] = process.argv.slice(2);
  const socket = io(url);
  const heard = [];
  const refused = [];
  let sent;

  const meet = async (target) => {
    const all = Array.from({ length: COUNT }, (_, n) => socket.emitWithAck("signal", { target, data: n }));
    sent = await Promise.allSettled(all);
    refused.push(...sent.filter(({ status }) => status === "rejected").map(({ reason }) => reason.message));
    end();
  };
  const end = () => {
    if (!sent || heard.length < COUNT) return;
    console.log(JSON.stringify({ heard, refused, transport: socket.io.engine.transport.name }));
    socket.disconnect();
  };

  socket.on("connect_error", (error) => console.error(error.message));
  socket.on("room-joined", ({ users }) => users.filter(({ socketId }) => socketId !== socket.id).forEach(({ socketId }) => meet(socketId)));
  socket.on("user-connected", ({ socketId }) => meet(socketId));
  socket.on("signal", ({ data }) => {
    heard.push(data);
    end();
  });
  socket.emit("join-room", "processes", name);
};
