package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"signaling-server/machine"
)

// waits is why a node does not serve that has not begun with the log.
var waits = "it waits for the engine"

// Status implements [machine.State].
func (n *Node) Status() machine.Status {
	s := machine.Status{Name: n.options.Name, IsEngineReached: n.options.Engine.Connected(), Nodes: n.health.nodes(n.options.Times.Alive)}
	if began := n.began.Load(); began != 0 {
		s.Began = time.UnixMilli(began)
	}
	s.Position, s.Newest = n.applied.position()
	if taken := n.snapshot.Load(); taken != nil {
		s.SnapshotBytes, s.SnapshotAt, s.SnapshotPause = taken.bytes, taken.at, taken.pause
	}
	if !n.isReady.Load() {
		s.Out = n.whyOut(s.Lag())
	}
	return s
}

// IsFirst reports whether this node serves and is the first of those that live. It does what one
// node must do for all. While a node is lost, two may be the first for some seconds.
func (n *Node) IsFirst() bool { return n.isReady.Load() && n.health.isFirst(n.options.Name) }

func (n *Node) whyOut(lag uint64) string {
	switch why := *n.out.Load(); {
	case n.isEmpty.Load():
		return "it begins anew with the newest snapshot"
	case why != "":
		return why
	}
	return fmt.Sprintf("it joins the others, %d records behind", lag)
}

// nodes describes the nodes by their names. A sign of life comes once in each beat.
func (h *health) nodes(beat time.Duration) []machine.NodeStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]machine.NodeStatus, 0, len(h.peers))
	for name, p := range h.peers {
		all = append(all, machine.NodeStatus{Name: name, IsLost: p.isLost, Silence: time.Duration(p.missedBeats()) * beat})
	}
	slices.SortFunc(all, func(a, b machine.NodeStatus) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Decides reports whether this node has appended the record that is being applied. All nodes apply
// the record, so what must be logged or counted once is for the node that decides. It must be called
// while a record is being applied, by what applies it.
func (n *Node) Decides() bool { return n.decides }
