package modeltest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Nodes are replaced one by one while clients go on. The first node stays, because it observes
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

// startNode starts the node again that is stopped. It looks after its sockets at the same
// moments as the others, and serves when it has heard what time the log has.
func (m *machine) startNode(c *modelClient) {
	m.did(c, "starts a node")
	every := m.oracle.tickInterval()
	tick := m.started.Add((time.Since(m.started)/every + 1) * every)
	n := m.stopped()
	m.server.start(m.t, n, time.Until(tick))
	const beat = time.Second
	m.pass(time.Until(tick) + beat + joining)
	n.isStopped = false
}

// reconnectAfter returns the bounds of the time after which a client comes back to a server that
// stops, in milliseconds. Another node can take it at once.
func (m *machine) reconnectAfter() (least, less float64) {
	if m.server.isCluster() {
		return 0, float64(m.oracle.options.AwayAfter.Milliseconds()) / 2
	}
	least = float64(time.Second.Milliseconds())
	return least, 6 * least
}
