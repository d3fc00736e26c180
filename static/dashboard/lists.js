// The lists of rooms and sockets, with pages and a search. A refresh writes only what has
// changed, so that focus, selection and open rows stay.

import { byId, part, stamp } from "../assets/page.js";
import { readPage } from "./endpoints.js";
import { ago, client, count, moment } from "./format.js";
import { write } from "./view.js";

const LIMIT = 10;
const TYPING = 250; // milliseconds after the last key

class List {
  #kind;
  #table;
  /** @type {(string | null)[]} */
  #cursors = [null]; // the start of each page, up to the page that is shown
  /** @type {string | null} */
  #next = null;
  #query = "";
  /** @type {AbortController | null} */
  #request = null; // aborts the request under way
  #rows = new Map(); // by key

  constructor(kind) {
    this.#kind = kind;
    this.#table = part(byId(kind.section), "table", HTMLTableElement);
    let typing = 0;
    this.#part("search").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#search(), TYPING);
    });
    this.#part("next").addEventListener("click", () => this.#turn([...this.#cursors, this.#next]));
    this.#part("previous").addEventListener("click", () => this.#turn(this.#cursors.slice(0, -1)));
  }

  // Reads the page again. A newer request aborts an older one.
  async refresh() {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const read = await readPage(this.#kind, {
      query: this.#query, cursor: this.#cursors.at(-1), limit: LIMIT, signal: request.signal,
    }).catch(() => null);
    if (request.signal.aborted) return;
    if (!read) {
      if (!this.#rows.size) this.#note(`The server does not answer ${this.#kind.path}.`); // otherwise the banner says so
      return;
    }
    const items = read.page[this.#kind.items];
    if (!items.length && this.#cursors.length > 1) {
      this.#turn([null]); // everything on this page has gone
      return;
    }
    this.#next = read.next;
    this.#show(items, read.page[this.#kind.total]);
  }

  /**
   * @template {HTMLElement} [E=HTMLElement]
   * @param {string} name
   * @param {new () => E} [kind]
   */
  #part(name, kind) {
    return part(byId(this.#kind.section), `[data-part="${name}"]`, kind);
  }

  #search() {
    this.#query = this.#part("search", HTMLInputElement).value.trim();
    this.#turn([null]);
  }

  #turn(cursors) {
    this.#cursors = cursors;
    this.refresh();
  }

  #show(items, total) {
    const keys = new Set(items.map(this.#kind.key));
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.#rows.delete(key);
    }
    items.forEach((item, i) => this.#showItem(item, i));
    this.#showPlace(items.length, total);
    this.#note(items.length ? "" : this.#query ? `Nothing matches “${this.#query}”.` : this.#kind.none);
  }

  #showItem(item, i) {
    const key = this.#kind.key(item);
    let row = this.#rows.get(key);
    if (!row) {
      row = this.#kind.make(item);
      this.#rows.set(key, row);
    }
    const there = this.#table.tBodies[i];
    if (there !== row) this.#table.insertBefore(row, there ?? null);
    this.#kind.fill(row, item);
  }

  #showPlace(shown, total) {
    const begin = (this.#cursors.length - 1) * LIMIT;
    write(this.#part("total"), count(total));
    write(this.#part("range"), shown ? `${count(begin + 1)}–${count(begin + shown)} of ${count(total)}${this.#query ? " found" : ""}` : "");
    enable(this.#part("previous"), this.#cursors.length > 1);
    enable(this.#part("next"), Boolean(this.#next));
  }

  #note(text) {
    this.#table.hidden = Boolean(text);
    this.#part("note").hidden = !text;
    write(this.#part("note"), text);
  }
}

// A disabled button would lose the focus, so its neighbour takes it.
function enable(button, enabled) {
  const loses = !enabled && document.activeElement === button;
  button.disabled = !enabled;
  if (loses) button.parentElement.querySelector("button:not(:disabled)")?.focus();
}

const field = (element, name) => part(element, `[data-field="${name}"]`);

function fillTime(element, iso) {
  if (element.dateTime !== iso) {
    element.dateTime = iso;
    element.title = moment(iso);
  }
  write(element, ago(iso));
}

const rooms = {
  section: "room-list",
  path: "/rooms",
  items: "rooms",
  total: "totalRooms",
  none: "No rooms yet. A room exists as soon as somebody joins it: open the demo in two tabs to see one.",
  key: (room) => room.roomId,

  make() {
    const row = /** @type {HTMLElement & { members?: object[] }} */ (stamp("room-template"));
    const button = part(row, ".expand");
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      part(row, ".members").hidden = !open;
      if (open) fillMembers(row, row.members);
    });
    return row;
  },

  fill(row, room) {
    row.members = room.userList;
    write(field(row, "roomId"), room.roomId);
    write(field(row, "users"), count(room.users));
    fillTime(field(row, "createdAt"), room.createdAt);
    fillTime(field(row, "lastActivity"), room.lastActivity);
    if (!part(row, ".members").hidden) fillMembers(row, room.userList);
  },
};

function fillMembers(row, members) {
  const list = part(row, ".members ul");
  while (list.childElementCount > members.length) list.lastElementChild?.remove();
  members.forEach((member, i) => {
    const item = list.children[i] ?? list.appendChild(stamp("member-template"));
    write(field(item, "userId"), member.userId);
    write(field(item, "socketId"), member.socketId);
    field(item, "state").hidden = !member.away;
    fillTime(field(item, "joinedAt"), member.joinedAt);
  });
}

const connections = {
  section: "connection-list",
  path: "/connections",
  items: "connections",
  total: "totalConnections",
  none: "Nobody is connected. Open the demo, or run curl -N with the address of this server’s /events.",
  key: (connection) => connection.socketId,

  make: () => stamp("connection-template"),

  fill(row, connection) {
    write(field(row, "socketId"), connection.socketId);
    write(field(row, "userId"), connection.userId ?? "–");
    write(field(row, "currentRoom"), connection.currentRoom ?? "–");
    write(field(row, "transport"), connection.transport);
    field(row, "transport").dataset.state = connection.transport;
    write(field(row, "ip"), connection.ip);
    write(field(row, "userAgent"), client(connection.userAgent) || "–");
    field(row, "userAgent").title = connection.userAgent;
    fillTime(field(row, "connectedAt"), connection.connectedAt);
  },
};

export const lists = [new List(rooms), new List(connections)];
