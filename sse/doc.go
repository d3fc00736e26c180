// Package sse keeps the sockets of the server. For each socket it keeps what the client
// is owed, and the reader: one stream or poll at a time, at most.
//
// A client opens a stream (GET /events) or polls (GET /events/poll). Its first request
// opens a socket. The socket has a secret token, which only this client knows, and a
// public ID that is derived from the token (see [Token]). The socket outlives its
// streams and polls. When one of them ends, the client has the resume window to begin
// the next one. It names the id of the last event that it saw, and goes on from
// there. A socket ends when its resume window runs out, when its client or an operator
// ends it, or when its client reads too slowly.
//
// Everything that a client may rely on follows from one rule. An event exists for a
// socket when it is in the socket's outbox. Streams and polls are only readers of the
// outbox from a position. To deliver an event is to append it. A reader hands on the
// events after its position, one by one. So there is one path for live delivery, replay
// after a resume, a takeover, long polling, a slow reader, and the last words before a
// shutdown.
//
//	Hub.Deliver ─▶ outbox ─┬▶ stream ─▶ link ─┬▶ parked connection, by Hub.Flush ─────▶ client
//	                       │                  └▶ held connection, by its handler ─────▶ client
//	                       └▶ poll.advance ─▶ one answer with all there is ───────────▶ client
//
// A stream says what comes next, and its link writes that. A parked connection has no
// goroutine: see [Parking].
//
// An event leaves the outbox when the client has confirmed it. The client does so when
// it asks for the events after it. Written events also leave the outbox when the bounds
// on what is kept for a resume are exceeded. And they leave when they are so old that
// no client can come back for them. Of unsent events with one key, the outbox keeps
// one: a client needs no more.
//
// # Shares
//
// One outbox serves many senders. [Hub.Send] and [Hub.Admit] check whether the sender,
// its network, and all senders together have a share left. What exceeds a share is
// refused, and the socket lives on. [Hub.Deliver] and [Hub.Tell] do not check that:
// they are for events that the server itself causes, and for events that were admitted.
// If they find the outbox full, its socket ends as a slow consumer: nobody waits for a
// slow reader.
//
// An event is one object, however many outboxes hold it, and is charged to the budget
// once. Its data may be in pieces that events share. They are put together only while
// the event is written, a few KiB at a time. When the budget is exceeded, [Hub.Run]
// ends the sockets that hold the most unread.
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
// A socket's mutex guards the socket, its outbox and its reader. It is never held
// across a write to the network. The hub's lock may be taken while a socket's mutex is
// held, never the other way round.
//
// The goroutine of an HTTP handler is the goroutine of its poll, or of the stream whose
// connection it holds. A parked stream has none.
// No goroutine is started for an event, and a client has none between its polls. [Hub.Run]
// looks at the sockets for which something is due: heartbeats, absences and expiry. It also
// owns the shared lanes of the engine (r3labs/sse), which write events for crowds to parked
// connections, and wake the handlers of held connections.
package sse
