// Loads the client by `require`, for programs that do not use ES modules yet.

import client = require("signaling-server-client");

const socket = client.io({ autoConnect: false });
socket.on("room-joined", ({ users }) => console.log(users.length));
socket.connect();
