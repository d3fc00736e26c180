package cluster

import (
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"signaling-server/machine"
	"signaling-server/sse"
)

// watchEvery is how often a node looks at itself and at the others.
const watchEvery = 50 * time.Millisecond

// health is what this node knows of all nodes by the records that it has applied.
type health struct {
	mu    sync.Mutex // guards what follows
	peers map[string]*peer
	heard time.Time // when the last record was applied; zero: none was
	cut   time.Time // since when no part of the engine is reached; zero: it is reached
}

// peer is one node. This node is among its own peers.
type peer struct {
	beats  uint64            // how often the state counts that it has said that it lives
	isLost bool              // the state says so
	missed map[string]missed // by each other node since
}

// missed is how often a node has said that it lives since another has.
type missed struct {
	beats int
	at    time.Time // of the last
}

// miss counts a sign of life of another node. After a stall of the log some come together, and
// count as one.
func (p *peer) miss(by string, alive time.Duration) {
	m := p.missed[by]
	if now := time.Now(); now.Sub(m.at) >= alive/2 {
		p.missed[by] = missed{m.beats + 1, now}
	}
}

// missedBeats returns how often another node has said that it lives since this one did.
func (p *peer) missedBeats() (most int) {
	for _, m := range p.missed {
		most = max(most, m.beats)
	}
	return most
}

// note notes what a record has changed. It returns the nodes that the record has made lost, and
// those that were lost and are back. Most records change nothing about nodes.
func (h *health) note(record *machine.Record, nodes func() []machine.NodeInfo, alive time.Duration) (lost, back []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = time.Now()
	if p := h.peers[record.Node]; p != nil && !p.isLost && !saysOfNodes(record) {
		return nil, nil
	}
	all := nodes()
	maps.DeleteFunc(h.peers, func(name string, _ *peer) bool {
		return !slices.ContainsFunc(all, func(n machine.NodeInfo) bool { return n.Name == name })
	})
	for _, n := range all {
		p := h.peers[n.Name]
		if p == nil {
			p = &peer{missed: make(map[string]missed)}
			h.peers[n.Name] = p
		}
		switch {
		case n.Name == record.Node && n.Beats > p.beats:
			clear(p.missed)
		case n.Name != record.Node && signOfLife(record) != nil:
			p.miss(record.Node, alive)
		}
		switch {
		case n.IsLost && !p.isLost:
			lost = append(lost, n.Name)
		case p.isLost && !n.IsLost:
			back = append(back, n.Name)
		}
		p.beats, p.isLost = n.Beats, n.IsLost
	}
	return lost, back
}

// logPeers logs which other nodes are lost, have left or are back, by a record of one of them.
// What becomes of this node is logged by setOut.
func (n *Node) logPeers(by string, lost, back []string) {
	for _, name := range lost {
		switch name {
		case n.options.Name:
		case by:
			n.logger.Info("a node has left", "node", name)
		default:
			n.logger.Warn("a node is lost: nothing is attached there any more", "node", name)
		}
	}
	for _, name := range back {
		if name != n.options.Name {
			n.logger.Info("a node is back", "node", name)
		}
	}
}

func saysOfNodes(record *machine.Record) bool {
	for i := range record.Commands {
		if record.Commands[i].Node != nil {
			return true
		}
	}
	return false
}

// signOfLife returns the command by which a record says that its node lives, or nil.
func signOfLife(record *machine.Record) *machine.NodeCommand {
	for i := range record.Commands {
		if c := record.Commands[i].Node; c != nil && c.Lost == "" {
			return c
		}
	}
	return nil
}

// hasOtherSettings reports whether a record is of a node that has joined before this node, and has
// other settings.
func (n *Node) hasOtherSettings(record *machine.Record) bool {
	life, sign := n.life.Load(), signOfLife(record)
	if life == 0 || sign == nil || sign.Settings == n.options.Settings {
		return false
	}
	own, others := uint64(math.MaxUint64), uint64(math.MaxUint64-1) // the state may not know them yet
	for _, info := range n.replica.Nodes() {
		switch {
		case info.Name == n.options.Name && info.Life == life:
			own = info.Joined
		case info.Name == record.Node && info.Life == record.Life: // not of the node that it replaces
			others = info.Joined
		}
	}
	return others < own
}

// lost returns what to say of the nodes that are lost, as this node sees it.
func (h *health) lost(own string, t Times) (all []*machine.NodeCommand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, p := range h.peers {
		if name != own && !p.isLost && time.Duration(p.missedBeats())*t.Alive >= t.LostAfter {
			all = append(all, &machine.NodeCommand{Lost: name, Beat: p.beats})
		}
	}
	return all
}

// isOut returns why this node must end its streams, or "" if it need not.
func (h *health) isOut(own string, isConnected bool, now time.Time, t Times) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case isConnected:
		h.cut = time.Time{}
	case h.cut.IsZero():
		h.cut = now
	}
	p := h.peers[own]
	switch {
	case p != nil && p.isLost:
		return "the other nodes take it for lost"
	case p != nil && time.Duration(p.missedBeats())*t.Alive >= t.ShedAfter:
		return "the other nodes hear nothing from it"
	case !h.cut.IsZero() && now.Sub(h.cut) >= t.ShedAfter:
		return "it does not reach the engine"
	case now.Sub(h.heard) >= t.QuietAfter:
		return "it hears nothing of the log"
	}
	return ""
}

// watch says that this node lives, notices those that do not, and tells what readers here have
// written, until ctx is done. A node that is out ends its streams, and begins again by itself.
func (n *Node) watch(ctx context.Context) error {
	if err := n.join(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	t := n.options.Times
	var alive, looked, written, permits time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := time.Now()
		stall := n.proposals.stalls(now, t)
		if stall < t.Alive && now.Sub(alive) >= t.Alive {
			alive = now
			n.proposals.propose(&machine.Command{Node: &machine.NodeCommand{Settings: n.options.Settings}})
		}
		if stall < t.Alive && now.Sub(looked) >= t.Alive {
			looked = now
			for _, lost := range n.health.lost(n.options.Name, t) {
				n.proposals.propose(&machine.Command{Node: lost})
			}
		}
		if now.Sub(written) >= t.Written {
			written = now
			for _, c := range n.hub.Written() {
				n.Propose(c)
			}
		}
		if n.options.PermitsExpire && now.Sub(permits) >= t.Alive {
			permits = now
			for _, stay := range n.replica.Rooms.Expired(now) {
				n.proposals.propose(&machine.Command{Expired: &stay})
			}
		}
		n.setOut(n.health.isOut(n.options.Name, n.options.Engine.Connected(), now, t))
	}
}

// join waits until this node has applied what the log has now, and begins its life: a number above
// that of any node with its name before. The time is part of it, since a server of the engine that
// is cut off may not know the last life.
func (n *Node) join(ctx context.Context) error {
	waiting := atStart()
	for {
		applied, _ := n.applied.position() // before the question: other nodes append while the answer is under way
		attempt, cancel := context.WithTimeout(ctx, n.options.Times.Attempt)
		last, err := n.options.Engine.Last(attempt)
		cancel()
		if err == nil {
			if last < applied {
				return errOtherLog // this node has begun with a snapshot of what the log does not have
			}
			n.heard(last, nil)
			if err := n.applied.await(ctx, last); err != nil {
				return err
			}
			n.life.Store(max(n.lifeBefore()+1, uint64(time.Now().UnixMilli())))
			n.health.mu.Lock()
			n.health.heard = time.Now()
			n.health.mu.Unlock()
			n.logger.Info("this node has joined the cluster", "node", n.options.Name, "record", last)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		waiting.say(n.logger, cannotUse, err)
		pause(ctx, time.Second)
	}
}

// lifeBefore returns the last life of this node that the state knows.
func (n *Node) lifeBefore() (life uint64) {
	n.between(func() {
		for _, info := range n.replica.Nodes() {
			if info.Name == n.options.Name {
				life = info.Life
			}
		}
	})
	return life
}

// maxBehind is how many records a node may be behind the log when it becomes ready.
const maxBehind = 100

// setOut makes this node ready, or ends its streams because it is out. It does not become ready
// before it has applied nearly all that it has heard of.
func (n *Node) setOut(why string) {
	isOut := why != ""
	n.out.Store(&why)
	if n.isReady.Load() == !isOut {
		return
	}
	if last, newest := n.applied.position(); !isOut && (n.isEmpty.Load() || newest > last+maxBehind) {
		return
	}
	n.isReady.Store(!isOut)
	if !isOut {
		n.logger.Info("this node serves", "node", n.options.Name)
		return
	}
	n.logger.Warn("this node is out, and ends its streams", "node", n.options.Name, "because", why)
	n.proposals.sendAway()
	n.hub.Shed()
}

var _ sse.Log = (*Node)(nil)
