// Package cluster makes several nodes one server. All nodes share one log of records
// (see [machine.Record]), which an engine replicates, and each node applies it to its own
// replica of the state. What a client sees does not depend on the node that it reaches.
//
// The way of a command:
//
//	request ─▶ Node.submit ─▶ gathered ─▶ one record ─▶ Engine.Append ─▶ the log
//	                                                                      │
//	result ◀─ the waiting request ◀─ Replica.Apply ◀─ next in order ◀─────┘
//
// A node appends one record at a time. While that is under way it gathers commands, and the
// next record carries all of them. A record that may have been appended is appended again
// under the same ID, until its fate is known.
//
// Only what is contiguous is applied: a node that misses a record asks the engine for it.
//
// # What happens when something fails
//
// A node that cannot append answers 503 within moments, and nothing of such a request is
// ever applied. If a record may have been appended, its requests wait; after a while they are
// answered 504, and may be repeated under their Idempotency-Key. A node that hears nothing
// for too long ends its streams, so that their clients go to other nodes. A node that the
// others have not heard of is lost: the log says so, and nothing that it serves is attached
// any more. While nothing can be appended, nobody is lost and no window ends.
package cluster
