const { io } = require("signaling-server-client");

require("./relaying.cjs").relay(io);
