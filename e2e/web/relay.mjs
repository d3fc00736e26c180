// Runs one of two processes that send each other numbered signals: node relay.mjs <url> <name>.
// The other is relay.cjs, which loads the client by require.

import { io } from "signaling-server-client";
import { relay } from "./relaying.cjs";

relay(io);
