import { useEffect, useRef, useState } from "react";
import { io } from "signaling-server-client";
import { useCamera, useRoom } from "signaling-server-client/react";

// One socket for the whole page. It connects by itself, and comes back by itself.
const socket = io(import.meta.env.VITE_SIGNALING_SERVER ?? "http://localhost:3002");

export function App() {
  const [name, setName] = useState("");
  const [inRoom, setInRoom] = useState(false);
  if (inRoom) return <Call name={name} onLeave={() => setInRoom(false)} />;
  return (
    <form className="join" onSubmit={(event) => { event.preventDefault(); setInRoom(true); }}>
      <h1>A call in React</h1>
      <label>Your name <input value={name} onChange={(event) => setName(event.target.value)} required maxLength={128} autoFocus /></label>
      <button>Join the lobby</button>
    </form>
  );
}

function Call({ name, onLeave }) {
  const [cameraOn, setCameraOn] = useState(false);
  const camera = useCamera(cameraOn);
  const { status, peers, error } = useRoom(socket, "lobby", { userId: name, stream: camera.stream });
  const problem = camera.error ?? error;

  return (
    <main>
      <header>
        <p role="status">{status === "joined" ? `In the lobby with ${peers.length} ${peers.length === 1 ? "other" : "others"}` : `The lobby: ${status}`}</p>
        <button onClick={() => setCameraOn(!cameraOn)} aria-pressed={cameraOn}>{cameraOn ? "Camera off" : "Camera on"}</button>
        <button onClick={onLeave}>Leave</button>
      </header>
      {problem && <p role="alert">{problem.message}</p>}
      <section className="tiles">
        <Tile label="You" stream={camera.stream} showsVideo={camera.stream !== null} isOwn />
        {peers.map((peer) => <Tile key={peer.socketId} label={peer.userId} stream={peer.stream} showsVideo={peer.video} />)}
      </section>
    </main>
  );
}

function Tile({ label, stream, showsVideo, isOwn = false }) {
  const video = useRef(null);
  useEffect(() => {
    video.current.srcObject = stream;
  }, [stream]);
  return (
    <figure className={showsVideo ? "tile" : "tile empty"}>
      <video ref={video} autoPlay playsInline muted={isOwn} />
      <figcaption>{label}</figcaption>
    </figure>
  );
}
