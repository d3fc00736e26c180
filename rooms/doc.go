// Package rooms is the domain of the server: which sockets are together in a
// room, who may signal whom, and what everyone is told.
//
// A socket is in at most one room. It comes into being with its first join and
// is forgotten when the socket ends. A room comes into being with its first
// member and is gone with its last.
//
// Events go out through a [Courier], which puts them into the outboxes of
// sockets and never blocks. Members change, and the events that tell of it are
// handed over, under one lock of the room, so that everybody sees one order and
// of any two members exactly one learns of the other by user-connected, and
// the other finds it in room-joined. An event is serialised once, however many
// receive it.
//
// # Locks
//
// They are taken in this order, and none is held while waiting for anything
// but the next: a seat (one socket's operations, one after the other), its
// room, the courier's own. The register's lock is held alone, for look-ups.
package rooms
