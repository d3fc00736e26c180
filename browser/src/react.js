/*! The browser client of signaling-server: hooks for React */

import { useEffect, useRef, useState } from "react";
import { joinRoom, openCamera } from "./peers.js";

/** @type {import("../react.d.ts").RoomView} */
const NOWHERE = { status: "idle", room: null, members: [], peers: [], error: null };

/** @type {{ stream: MediaStream | null, error: Error | null }} */
const CLOSED = { stream: null, error: null };

const isSent = (stream, kind) => !!stream?.getTracks().some((track) => track.kind === kind && !track.muted);

// React renders again if it sees another object. A Peer is one object that changes.
const snapshot = (peer) => {
  const { socketId, userId, state, stream } = peer;
  return { peer, socketId, userId, state, stream, video: isSent(stream, "video"), audio: isSent(stream, "audio") };
};

// Joins a room while the component is mounted, and leaves it afterwards. Without a socket or a
// room ID it is in no room. Another stream is sent without joining again.
export function useRoom(socket, roomId, options = /** @type {any} */ ({})) {
  const { userId, stream = null, connect, accessToken } = options;
  const metadata = JSON.stringify(options.metadata); // a literal is another object each time
  const [view, setView] = useState(NOWHERE);
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });

  useEffect(() => {
    if (!socket || roomId == null || roomId === "") return undefined;
    const stop = new AbortController();
    const show = (change) => stop.signal.aborted || setView((before) => ({ ...before, ...change }));
    const enter = () => {
      show({ ...NOWHERE, status: "joining" });
      joinRoom(socket, roomId, { ...latest.current, signal: stop.signal }).then((room) => {
        const showAll = () => show({ members: [...room.members.values()], peers: [...room.peers.values()].map(snapshot) });
        for (const type of ["members", "peer", "change", "leave"]) room.on(type, showAll);
        room.on("data", (data, peer) => latest.current.onData?.(data, peer));
        room.on("error", (error) => show({ error }));
        room.on("end", (reason, error) => end(error));
        show({ status: "joined", room, error: null });
        showAll();
      }, end);
    };
    const end = (error) => {
      show({ ...NOWHERE, status: "ended", error });
      // The page may connect the socket again.
      if (!socket.active && !stop.signal.aborted) socket.once("connect", enter);
    };
    enter();
    return () => {
      stop.abort();
      socket.off("connect", enter);
      setView(NOWHERE);
    };
  }, [socket, roomId, userId, connect, accessToken, metadata]);

  const { room } = view;
  useEffect(() => {
    if (room && room.stream !== stream) room.setStream(stream);
  }, [room, stream]);

  return view;
}

// Opens the camera and the microphone while it is on, and closes them afterwards.
export function useCamera(isOn, constraints) {
  const [view, setView] = useState(CLOSED);
  const wanted = JSON.stringify(constraints);

  useEffect(() => {
    if (!isOn) return undefined;
    let isOver = false;
    const opening = openCamera(wanted ? JSON.parse(wanted) : undefined);
    opening.then((stream) => isOver || setView({ stream, error: null }), (error) => isOver || setView({ stream: null, error }));
    return () => {
      isOver = true;
      opening.then((stream) => stream.getTracks().forEach((track) => track.stop()), () => {}); // a failure was shown
      setView(CLOSED);
    };
  }, [isOn, wanted]);

  return view;
}
