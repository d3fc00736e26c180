// Shows the state of the connection to the server, and says so while the connection is lost.

import { notify, showOutage, showStatus } from "./view.js";

// A shorter interruption is not worth a word (ms).
const BLIP = 1500;

const OFFLINE = "You are offline. This page connects again by itself when your network is back.";
const UNREACHABLE = "The server cannot be reached. Calls go on, and this page keeps trying to connect again.";

/** @param {import("../client.js").Socket} socket */
export function watchConnection(socket) {
  let open = false; // as far as the client knows
  let told = false;
  let timer = 0;
  let asked = false; // whether a ping waits

  const tell = () => {
    told = true;
    showOutage(navigator.onLine === false ? OFFLINE : UNREACHABLE);
  };
  const quiet = () => {
    clearTimeout(timer);
    timer = 0;
    told = false;
    showOutage("");
  };
  const away = () => {
    showStatus(open || told ? "reconnecting" : "connecting");
    open = false;
    timer ||= setTimeout(tell, BLIP);
  };
  const back = () => {
    if (told) notify("You are connected again.", { seconds: 4 });
    open = true;
    quiet();
    showStatus("open", socket.io.engine.transport.name);
  };

  // The stream works, but nothing can be sent. The ping waits until something can.
  const awaitPost = async () => {
    if (asked) return;
    asked = true;
    await socket.emitWithAck("ping").then(back, () => {}); // if it is refused, the next error asks again
    asked = false;
  };

  socket.on("connect", back);
  socket.io.on("reconnect", back);
  socket.io.on("reconnect_attempt", away);
  socket.on("connect_error", () => {
    away();
    if (socket.connected) awaitPost();
  });
  socket.on("disconnect", () => {
    if (socket.active) return away();
    open = false;
    quiet();
    showStatus("closed");
  });
  window.addEventListener("offline", tell);
  window.addEventListener("online", () => {
    if (open) back();
    else if (told) tell();
  });
}
