// Renders components on a server, which has no browser's objects.

import assert from "node:assert/strict";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { useCamera, useRoom } from "signaling-server-client/react";

function Page() {
  const { stream } = useCamera(true);
  const { status, peers } = useRoom(null, "lobby", { userId: "Ada", stream });
  return createElement("p", null, `${status} ${peers.length}`);
}

assert.equal(renderToString(createElement(Page)), "<p>idle 0</p>");
