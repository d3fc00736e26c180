// A page whose components the test mounts, changes and unmounts as it likes.

import { StrictMode, useState } from "react";
import * as React from "react";
import { createRoot } from "react-dom/client";
import { io } from "signaling-server-client";
import { useCamera, useRoom } from "signaling-server-client/react";

const views = {}; // the newest view of each component, by its name

function Member({ name, socket, room, camera = false, ...options }) {
  const { stream, error } = useCamera(camera);
  const view = useRoom(socket, room, { userId: name, stream, metadata: { of: name }, ...options });
  views[name] = { ...view, camera: stream, cameraError: error };
  return null;
}

function Page() {
  const [members, setMembers] = useState([]);
  window.show = (...members) => void setMembers(members);
  return members.map((member) => <Member key={member.name} {...member} />);
}

Object.assign(window, { io, views, version: React.version, sockets: { one: io(), two: io() } });
createRoot(document.body.appendChild(document.createElement("div"))).render(<StrictMode><Page /></StrictMode>);
