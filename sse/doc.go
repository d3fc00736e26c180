// Package sse keeps the sockets of the server: what each client is owed, and
// the one stream or poll over which it is paid.
//
// A client opens a stream (GET /events) or polls (GET /events/poll), and thereby
// opens a socket. The socket has a secret token, known to that client alone, and
// a public ID derived from it (see [Token]). It outlives its streams and polls:
// when one has ended, the client has the resume window to begin the next one
// with the id of the last event it saw, and goes on where it was.
//
// Everything a client may rely on follows from one rule: an event exists for a
// socket when it is in the socket's outbox, and streams and polls are only
// readers of the outbox from a position. Delivering appends; a reader hands on,
// one after the other, what stands behind its position. Live delivery, replay
// after a resume, a takeover, long polling, a slow reader and the last words
// before a shutdown are therefore one path:
//
//	Hub.Deliver ─▶ outbox ─┬▶ stream.advance ─▶ engine (r3labs/sse) ─▶ frameWriter ─▶ client
//	                       │        ▲                                       │
//	                       │        └────────── one frame is out ───────────┘
//	                       └▶ poll.advance ─▶ one answer with all there is ─────────▶ client
//
// An event leaves the outbox when the client confirmed it by reading on behind it.
// One that was written leaves it, too, when the bound on what is kept for a resume is
// exceeded, or when no client can come for it any more. Of unsent events with one key
// one is enough, and is kept.
//
// # Shares
//
// One outbox serves many senders. [Hub.Send] and [Hub.Admit] ask whether a sender,
// its network, and all senders together have a share left. What exceeds a share is
// refused, and the socket lives on. [Hub.Deliver] and [Hub.Tell] ask nobody: they are
// for what the server itself has to say, and for what was admitted. If they find the
// outbox full, its socket ends ("slow consumer"): nobody waits for a slow reader.
//
// An event is one object however many outboxes hold it, and is charged to the budget
// once. Its data may be in pieces that events share; it is put together only while it
// is written, a few KiB at a time. At the budget [Hub.Run] ends the sockets that hold
// the most unread.
//
// # Life of a socket
//
//	            open                      gone                 window runs out
//	(nothing) ───────▶ has a reader ───────────▶ unread ──────────────────────▶ ended
//	                    │    ▲   │  ▲              │ │                            ▲
//	                    │    └───┘  └── read on ───┘ └─ AwayAfter: away ──────────┤
//	                    │  takeover         ▲                  │                  │
//	                    │                   └──── read on ─────┘                  │
//	                    └── disconnect, outbox full, budget exceeded ─────────────┘
//
// # Locks and goroutines
//
// A socket's mutex guards the socket, its outbox and its reader, and is never
// held across a write to the network. No goroutine is started per event, and
// between polls none is kept. The goroutine of an HTTP handler is the goroutine
// of its stream or poll; [Hub.Run] is the one goroutine that walks the sockets
// for heartbeats, absences and expiry.
package sse
