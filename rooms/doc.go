// Package rooms is the domain of the server: which sockets share a room, which
// member may signal which, and which events the members receive.
//
// A room begins when its first member joins, and ends when its last member leaves.
// A socket is in at most one room. It takes a seat with its first join, and gives
// the seat up when it leaves the room or ends. [Rooms.Join] brings a socket into a
// room, [Rooms.Leave] takes it out, and [Rooms.Remove] takes out a socket that has
// ended. In between, [Rooms.Signal], [Rooms.SignalAll], [Rooms.Chat] and
// [Rooms.Typing] bring what a member says to the other members.
//
// Events go out through a [Courier]. It puts them into the outboxes of sockets and
// never blocks. An event is serialised once, however many sockets receive it.
//
// The lock of the room is held while its members change and while the events that
// report the change are handed to the courier. So all members see one order. And of
// any two members, the earlier receives user-connected for the later exactly once, and
// the later finds the earlier in its room-joined.
//
// # State
//
// What an operation does depends on the state of the register, on what is asked, on the
// answers of the courier, and on the time and the ID that [Options] brings. Nothing else
// decides: no clock, no chance, no order of a map, no memory of the process. So two
// registers that perform the same operations in the same order stay equal, and
// [Rooms.AppendSnapshot] and [Rooms.Restore] make a third. Rates and memory are asked for
// before an operation: [Rooms.ChatWeight] and its like say what it costs.
//
// # Locks
//
// The locks are taken in this order: a seat (one socket's operations, one after the
// other), the room, the courier's own locks. A goroutine that holds one of them waits
// for nothing but the next. Two rooms are never locked at once. The register's lock
// is held for look-ups only, and nothing else is locked under it.
package rooms
