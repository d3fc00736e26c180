// The same client by `require`, for those who have not moved to ES modules.

import client = require("signaling-server-client");

const socket = client.io({ autoConnect: false });
socket.on("room-joined", ({ users }) => console.log(users.length));
socket.connect();
