package machine

import "time"

// Status describes one of several nodes and, as far as it has followed the log, the others. The
// zero Status is that of a node that is alone.
type Status struct {
	Name string // of this node
	// Out says why this node does not serve. It is a part of a sentence such as "it waits for
	// the engine". Empty: it serves.
	Out             string
	IsEngineReached bool

	Began    time.Time // when the first record of the log was appended; zero: this node has applied none
	Position uint64    // of the last record that this node has applied
	Newest   uint64    // of the newest record that it has heard of

	// What follows is of the newest snapshot that this node has taken. Only the first of the
	// nodes that live takes snapshots. The bytes are 0 if this node has taken none.
	SnapshotBytes int
	SnapshotAt    time.Time
	SnapshotPause time.Duration // for which this node applied nothing

	// Nodes are all that the log knows, by their names. Except for Silence, two nodes at the same
	// position agree about them.
	Nodes []NodeStatus
}

// NodeStatus is what the log knows of a node.
type NodeStatus struct {
	Name    string
	IsLost  bool          // the log says so
	Silence time.Duration // since its last sign of life, as the log counts it since this node follows it
}

// Lag returns how many records this node has heard of and not applied.
func (s Status) Lag() uint64 { return s.Newest - s.Position }
