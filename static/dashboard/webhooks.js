// The row that says what became of the webhooks. It is hidden if the server sends none.

import { byId, part } from "../assets/page.js";
import { ago, count } from "./format.js";
import { write } from "./view.js";

// Of several nodes, only the node that sends knows how the receiver fails. A proxy brings each question to
// another node, so what the sender told is remembered for a while.
const REMEMBERED = 30_000;

/** @type {any} */
let told = null; // by the node that sends

const list = byId("webhooks");
const field = (name) => part(list, `[data-field="${name}"]`);

export function showWebhooks({ time, webhooks }) {
  list.hidden = !webhooks?.enabled;
  byId("foot-webhooks").hidden = list.hidden;
  if (list.hidden) return;
  if (webhooks.sending) told = { ...webhooks, time };
  else if (told && time - told.time > REMEMBERED) told = null;
  write(part(list, "[data-part=total]"), webhooks.waiting ? `${count(webhooks.waiting)} waiting` : "none waiting");
  write(field("receiver"), told ? told.failing ? "fails" : "accepts" : "–");
  field("receiver").dataset.state = told?.failing ? "out" : "";
  write(field("oldest"), webhooks.oldest ? ago(webhooks.oldest) : "–");
  write(field("delivered"), count(webhooks.delivered));
  write(field("dropped"), count(webhooks.dropped));
  showFailure(told?.lastFailure);
  showNote(webhooks);
}

function showFailure(failure) {
  const text = failure ? `${failure.status ? `it answered ${failure.status}` : failure.error}, ${ago(failure.at)}` : "–";
  write(field("failure"), text);
  field("failure").title = failure ? `${text} (${failure.webhookId})` : "";
}

function showNote({ dropped }) {
  const note = part(list, "[data-part=note]");
  const texts = [];
  if (told?.failing) texts.push("The receiver has not accepted some webhooks. The server sends them again until it does.");
  if (dropped) texts.push("Newer webhooks pushed out some that were not accepted: the back end must compare what it knows with /rooms.");
  note.hidden = !texts.length;
  write(note, texts.join(" "));
}
