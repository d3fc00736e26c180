// One of two processes that send each other numbered signals: node relay.mjs <url> <name>.
// The other requires the same client, by relay.cjs.

import { io } from "signaling-server-client";
import { relay } from "./relaying.cjs";

relay(io);
