// Calls and the hooks for React, as an application would write them. Lines that are marked as
// errors must be errors.

import { io, type Socket } from "signaling-server-client";
import { joinRoom, openCamera, type Room } from "signaling-server-client/peers";
import { useCamera, useRoom, type PeerView, type RoomView } from "signaling-server-client/react";

const socket: Socket = io("https://signaling.example.com");

export async function enter(): Promise<Room> {
  const camera: MediaStream = await openCamera({ video: { facingMode: "user" } });
  const room = await joinRoom(socket, "standup", { userId: "Ada", stream: camera, signal: AbortSignal.timeout(10_000) });
  room.on("error", (error, peer) => console.warn(error.message, peer?.userId));
  room.on("end", (reason, error) => console.log(reason.length, error.name));
  room.on("drain", (peer) => peer.send(new Uint8Array(3).subarray(1)));
  const sent: number = room.send(new ArrayBuffer(3));
  console.log(sent);
  for (const peer of room.peers.values()) peer.on("error", ({ message }) => console.warn(message)).setStream(null);
  return room;
}

export function useCall(isOn: boolean): readonly PeerView[] {
  const { stream, error } = useCamera(isOn, { audio: true });
  const call: RoomView = useRoom(socket, isOn ? "standup" : null, {
    userId: "Ada", stream, metadata: { role: "host" }, onData: (data, peer) => console.log(data, peer.userId),
  });
  if (error || call.status === "ended") return [];
  return call.peers.filter(({ video, stream, peer }) => video && stream && peer.state === "connected");
}

// @ts-expect-error a room needs a user ID
joinRoom(socket, "standup", {});
// @ts-expect-error useRoom aborts by itself
useRoom(socket, "standup", { userId: "Ada", signal: AbortSignal.timeout(1) });
// @ts-expect-error a channel takes text or binary data
enter().then((room) => room.send({ hello: "world" }));
