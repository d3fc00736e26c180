// A call with everybody in a room, as an application would write it. The tests check it with
// `tsc --strict` against the packed client. Lines that are marked as errors must be errors.

import { io, Problem, type ServerEvents, type Socket } from "signaling-server-client";
import { joinRoom, type Peer, type Room } from "signaling-server-client/peers";

const socket: Socket = io("https://signaling.example.com", { reconnectionDelayMax: 5000, transports: ["websocket"] });

socket.on("connect", () => {
  const id: string | undefined = socket.id;
  console.log(id, socket.recovered, socket.io.engine.transport.name);
  socket.emit("join-room", "standup", "Ada");
});
socket.on("disconnect", (reason) => console.log(reason === "io client disconnect"));
socket.on("connect_error", (error) => console.warn(error.message));
socket.on("error", ({ message, type, errors }) => console.warn(message, type, errors?.[0]?.field));
socket.io.on("reconnect_attempt", (attempt) => console.log(attempt + 1));

socket.on("room-joined", ({ users }) => users.forEach(({ userId, socketId }) => console.log(userId, socketId)));
socket.on("user-connected", async ({ socketId }) => {
  const connection = new RTCPeerConnection({ iceServers: socket.iceServers });
  connection.addEventListener("icecandidate", ({ candidate }) => {
    socket.emit("ice-candidate", { target: socketId, candidate: candidate?.toJSON() ?? null });
  });
  await connection.setLocalDescription(await connection.createOffer());
  const offer = connection.localDescription;
  if (offer) socket.emit("offer", { target: socketId, offer });
});
socket.on("answer", async ({ from, answer }) => {
  const connection = new RTCPeerConnection();
  await connection.setRemoteDescription(answer);
  console.log(from.length);
});
socket.on("pong", ({ timestamp }) => console.log(Date.now() - timestamp));
socket.onAny((type, event) => console.log(type, event.type));

async function chat(text: string): Promise<boolean> {
  try {
    const { status } = await socket.timeout(5000).emitWithAck("send-message", { message: text });
    return status === 202;
  } catch (error) {
    if (error instanceof Problem && error.type === "/problems/not-in-room") return false;
    throw error;
  }
}

socket.emit("typing-start");
socket.emit("signal", { data: { hand: "raised" } }, (answer) => {
  if (answer instanceof Error) console.warn(answer.detail);
});
socket.timeout(1000).emit("ping", (error, answer) => console.log(error?.message, answer?.status));

// What socket.io-client has, too.
socket.removeAllListeners("pong").prependAny((type) => console.log(type)).onAnyOutgoing((type, ...args) => console.log(type, args.length));
socket.volatile.emit("signal", { data: 1 });
socket.io.reconnectionDelay(500).on("error", (error) => console.warn(error.message));
const manager = new io.Manager("localhost:3002", { query: { tenant: 7 }, extraHeaders: { "X-Tenant": "7" }, path: "/signaling" });
const delay: number = manager.reconnectionDelay();
console.log(delay, manager.uri, io.protocol, io.connect("//host") instanceof io.Socket, manager.socket("/").open().close().hasListeners("pong"));
// @ts-expect-error: there is no such event
socket.addListener("nonsense", () => {});

async function call(stream: MediaStream): Promise<Room> {
  const room = await joinRoom(socket, "standup", { userId: "Ada", stream, metadata: { role: "host" } });
  room.on("stream", (remote, peer) => show(remote, peer));
  room.on("data", (data, peer) => console.log(peer.userId, typeof data === "string" ? data : data.byteLength));
  room.on("leave", (peer, reason) => console.log(peer.socketId, reason));
  room.send("hello");
  return room;
}

function show(stream: MediaStream, peer: Peer): void {
  console.log(stream.id, peer.state, peer.connection.iceConnectionState);
}

type Offer = ServerEvents["offer"];
const sdp = (event: Offer): string => event.offer.sdp;

// @ts-expect-error the server does not send this event
socket.on("room-join", () => {});
// @ts-expect-error an offer needs a target
socket.emit("offer", { offer: { type: "offer", sdp: "v=0" } });
// @ts-expect-error a message is an object, not a text
socket.emit("send-message", "hello");
// @ts-expect-error the message is a text, not a number
socket.on("new-message", ({ message }) => message.toFixed());
// @ts-expect-error the socket ID is read-only
socket.id = "mine";

export { call, chat, sdp };
