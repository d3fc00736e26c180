package modeltest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	commands "signaling-server/machine"
)

// Nodes stop, fail and start again, one at a time, while clients go on. The first node stays, because it observes
// for the oracle.

func canStopNode(m *machine, _ *modelClient) bool {
	return m.server.isCluster() && m.stopped() == nil
}

func canStartNode(m *machine, _ *modelClient) bool { return m.stopped() != nil }

// stopped returns the node that is stopped, or nil.
func (m *machine) stopped() *modelNode {
	at := slices.IndexFunc(m.server.nodes, func(n *modelNode) bool { return n.isStopped })
	if at < 0 {
		return nil
	}
	return m.server.nodes[at]
}

// stopNode stops a node in order. Each of its streams and polls ends with server-shutdown, after
// all that was accepted, and its sockets live on.
func (m *machine) stopNode(c *modelClient) {
	n := m.server.nodes[rapid.IntRange(1, len(m.server.nodes)-1).Draw(m.t, "node")]
	m.did(c, "stops a node")
	for _, l := range slices.Clone(m.lines) {
		if l.node == n && l.reader.silent && !l.reader.over { // a node waits for clients that read nothing
			m.abandon(l)
		}
	}
	m.oracle.now = time.Now()
	n.isStopped = true
	drained := n.drain()
	settle()
	for _, l := range m.lines {
		if l.node == n && !l.reader.over {
			m.oracle.finish(l.socket, m.oracle.shutdown())
		}
	}
	m.settle()
	m.check()
	m.pass(100 * time.Millisecond)
	select {
	case err := <-drained:
		require.NoError(m.t, err)
	default:
		require.Fail(m.t, "the node does not finish draining")
	}
	n.stop()
	m.settle()
}

// killNode ends a node as kill -9 does. Its sockets count as read until the others take the node
// for lost, or until it starts again.
func (m *machine) killNode(c *modelClient) {
	n := m.server.nodes[rapid.IntRange(1, len(m.server.nodes)-1).Draw(m.t, "node")]
	m.pass(300 * time.Millisecond) // until the others know what was written
	m.did(c, "kills a node")
	n.isStopped, m.oracle.killed, n.heard = true, n, uint64(len(m.server.log.Records(0)))
	n.link.SetCut(true)
	for _, l := range slices.Clone(m.lines) {
		if l.node == n && !l.reader.over {
			l.reader.silent, l.reader.dead = true, true
			l.hangUp()
			m.forget(l)
		}
	}
	n.stop()
	m.settle()
}

func canHandOver(m *machine, _ *modelClient) bool { return m.server.options.HandsOver }

// handOver replaces the only node by one that goes on with its state. Each stream and poll ends
// with server-shutdown, after all that was accepted. All sockets live on, and their windows begin
// anew.
func (m *machine) handOver(c *modelClient) {
	m.pass(m.untilTick() + offBeat) // so that all is over before the next tick
	m.did(c, "hands over")
	for _, l := range slices.Clone(m.lines) {
		if l.reader.silent && !l.reader.over { // chance decides what such a client gets
			m.abandon(l)
		}
	}
	m.oracle.now = time.Now()
	n := m.server.nodes[0]
	drained := n.drain()
	settle()
	for _, l := range m.lines {
		if !l.reader.over {
			m.oracle.finish(l.socket, m.oracle.shutdown())
		}
	}
	m.settle()
	m.check()
	time.Sleep(20 * time.Millisecond)
	select {
	case err := <-drained:
		require.NoError(m.t, err)
	default:
		require.Fail(m.t, "the node does not finish draining")
	}
	n.stop()
	next := &modelNode{name: n.name, left: n.state()}
	m.server.nodes[0] = next
	m.server.start(m.t, next, m.untilTick())
	m.oracle.elapse(time.Now())
	for _, s := range m.oracle.sockets {
		s.unreadSince = time.Now()
	}
	m.pass(m.untilTick() + offBeat)
}

// noteLoss makes the oracle detach what a killed node has served, when the log says that the node
// is lost or has started again. The log is known until a moment.
func (m *machine) noteLoss(until time.Time) {
	n := m.oracle.killed
	if n == nil {
		return
	}
	for _, text := range m.server.log.Records(n.heard) {
		n.heard++
		record, err := commands.ReadRecord(text)
		require.NoError(m.t, err)
		tells := func(c commands.Command) bool { return c.Node != nil && c.Node.Lost == n.name }
		if record.Node != n.name && !slices.ContainsFunc(record.Commands, tells) {
			continue
		}
		m.tally.count("takes a node for lost")
		m.oracle.now = record.At
		m.oracle.lose()
		if record.At.Equal(until) {
			m.oracle.lostNow = n
		}
		return
	}
}

// startNode starts the node again that is stopped. It looks after its sockets at the same
// moments as the others, and serves when it has heard what time the log has.
func (m *machine) startNode(c *modelClient) {
	m.did(c, "starts a node")
	tick := time.Now().Add(m.untilTick())
	at := slices.Index(m.server.nodes, m.stopped())
	n := &modelNode{name: m.server.nodes[at].name, isStopped: true}
	m.server.nodes[at] = n
	m.server.start(m.t, n, time.Until(tick))
	const beat = time.Second
	m.pass(time.Until(tick) + beat + joining)
	n.isStopped = false
}

// untilTick returns how long it is until the next moment in which nodes look after their sockets.
func (m *machine) untilTick() time.Duration {
	every := m.oracle.tickInterval()
	return every - time.Since(m.started)%every
}

// reconnectAfter returns the bounds of the time after which a client comes back to a server that
// stops, in milliseconds. Another node can take it at once.
func (m *machine) reconnectAfter() (least, less float64) {
	if m.server.isCluster() {
		return 0, float64(m.oracle.options.AwayAfter.Milliseconds()) / 2
	}
	if m.server.options.HandsOver {
		return float64(m.oracle.options.AwayAfter.Milliseconds()) / 8, float64(m.oracle.options.AwayAfter.Milliseconds()) / 2
	}
	least = float64(time.Second.Milliseconds())
	return least, 6 * least
}
