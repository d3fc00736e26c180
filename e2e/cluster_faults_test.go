package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signaling-server/e2e/fleet"
)

// striker makes faults. One goroutine uses it.
type striker struct {
	*fleet.Fleet
	t       *testing.T
	ctx     context.Context
	goal    int64        // how many events are to be accepted; 0: each fault is made once
	network *faultyProxy // of the clients
	dice    *rand.Rand
	record  *record
}

// faults are what may fail. Each begins, lasts for a while, and is mended.
var faults = []func(*striker){
	(*striker).killNode, (*striker).killAllNodes, (*striker).killServer, (*striker).killLeader,
	(*striker).cutNodeOff, (*striker).cutServersInTwo, (*striker).slowDown,
	(*striker).pauseNode, (*striker).pauseLeader, (*striker).emptyServer,
	(*striker).loseMajority, (*striker).replaceNodes, (*striker).replaceServers,
}

// strikeAll makes each fault once, in a random order, and begins again until as many events
// were accepted as the goal says.
func (s *striker) strikeAll() {
	for again := true; again; again = s.record.figures.accepted.Load() < s.goal {
		for _, i := range s.dice.Perm(len(faults)) {
			rest(s.ctx, s.between(time.Second, 2*time.Second))
			faults[i](s)
			began := time.Now()
			s.awaitCalls()
			if s.ctx.Err() != nil || s.t.Failed() {
				return
			}
			s.record.note("all is well, %.1f s later", time.Since(began).Seconds())
		}
		s.t.Logf("%d events were accepted so far", s.record.figures.accepted.Load())
	}
}

// awaitCalls waits until all is ready, and many events were accepted and heard since.
func (s *striker) awaitCalls() {
	if err := s.AwaitReady(bounded(s.t)); err != nil {
		s.t.Errorf("after a fault: %v", err)
	}
	accepted, heard := s.record.figures.accepted.Load(), s.record.figures.heard.Load()
	assert.Eventually(s.t, func() bool {
		return s.record.figures.accepted.Load() > accepted+30 && s.record.figures.heard.Load() > heard+30
	}, within, 100*time.Millisecond, "events are accepted again")
}

func (s *striker) between(shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(s.dice.Int64N(int64(longest-shortest)))
}

func (s *striker) anyNode() *fleet.Process { return s.Nodes[s.dice.IntN(len(s.Nodes))] }

// leader returns the NATS server that leads the log, and the others.
func (s *striker) leader() (leader *fleet.Process, others []*fleet.Process) {
	assert.EventuallyWithT(s.t, func(t *assert.CollectT) {
		var err error
		leader, err = s.Leader(s.ctx)
		require.NoError(t, err)
	}, within, 100*time.Millisecond)
	for _, server := range s.Servers {
		if server != leader {
			others = append(others, server)
		}
	}
	return leader, others
}

// lasts lets a fault last, between its begin and its end.
func (s *striker) lasts(d time.Duration, what string, values ...any) {
	s.record.fault(fmt.Sprintf(what, values...), time.Now(), d)
	rest(s.ctx, d)
}

// lastsWithoutNATS lets a fault of NATS last. Every second time, a node is killed meanwhile.
func (s *striker) lastsWithoutNATS(d time.Duration, what string, values ...any) {
	if s.dice.IntN(2) == 0 {
		s.lasts(d, what, values...)
		return
	}
	node := s.anyNode()
	s.record.fault(fmt.Sprintf(what, values...)+", and then kill -9 "+node.Name, time.Now(), d)
	rest(s.ctx, d/3)
	node.Kill()
	rest(s.ctx, d/3)
	s.start(node)
	rest(s.ctx, d/3)
}

func (s *striker) start(all ...*fleet.Process) {
	for _, p := range all {
		if err := p.Start(); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *striker) killNode() {
	node := s.anyNode()
	node.Kill()
	s.lasts(s.between(time.Second, 7*time.Second), "kill -9 %s", node.Name)
	s.start(node)
}

// killAllNodes kills all nodes at once. They start again within the resume window.
func (s *striker) killAllNodes() {
	for _, node := range s.Nodes {
		node.Kill()
	}
	s.lasts(s.between(time.Second, 4*time.Second), "kill -9 all nodes")
	s.start(s.Nodes...)
}

// follower returns a NATS server that does not lead the log.
func (s *striker) follower() *fleet.Process {
	_, others := s.leader()
	return others[s.dice.IntN(len(others))]
}

func (s *striker) killServer() {
	server := s.follower()
	server.Kill()
	s.lasts(s.between(time.Second, 4*time.Second), "kill -9 %s, which follows", server.Name)
	s.start(server)
}

func (s *striker) killLeader() {
	leader, _ := s.leader()
	leader.Kill()
	s.lastsWithoutNATS(s.between(time.Second, 8*time.Second), "kill -9 %s, which leads the log", leader.Name)
	s.start(leader)
}

func (s *striker) cutNodeOff() {
	node := s.anyNode()
	links := s.Links(func(from, _ *fleet.Process) bool { return from == node })
	links.Cut()
	s.lasts(s.between(6*time.Second, 10*time.Second), "%s is cut off from NATS", node.Name)
	links.Mend()
}

func (s *striker) cutServersInTwo() {
	leader, _ := s.leader()
	isServer := map[*fleet.Process]bool{s.Servers[0]: true, s.Servers[1]: true, s.Servers[2]: true}
	links := s.Links(func(from, to *fleet.Process) bool {
		return isServer[from] && isServer[to] && (from == leader || to == leader)
	})
	links.Cut()
	s.lastsWithoutNATS(s.between(8*time.Second, 10*time.Second), "%s, which leads the log, is cut off from the other NATS servers", leader.Name)
	links.Mend()
}

func (s *striker) slowDown() {
	by := s.between(20*time.Millisecond, 120*time.Millisecond).Round(time.Millisecond)
	links := s.Links(func(_, _ *fleet.Process) bool { return true })
	links.Slow(by)
	s.lastsWithoutNATS(6*time.Second, "each link is slower by %v", by)
	links.Mend()
}

func (s *striker) pauseNode() {
	node := s.anyNode()
	node.Pause()
	s.lasts(8*time.Second, "%s is paused", node.Name)
	node.Resume()
}

// pauseLeader: its connections stay open, and nothing answers.
func (s *striker) pauseLeader() {
	leader, _ := s.leader()
	leader.Pause()
	s.lastsWithoutNATS(s.between(6*time.Second, 10*time.Second), "%s, which leads the log, is paused", leader.Name)
	leader.Resume()
}

// emptyServer replaces a NATS server by one that has nothing, as after the loss of a disk.
func (s *striker) emptyServer() {
	server := s.follower()
	server.Kill()
	if err := server.Empty(); err != nil {
		s.t.Error(err)
	}
	s.lasts(time.Second, "kill -9 %s, and its files are lost", server.Name)
	s.start(server)
}

// outage returns how long the majority is gone. If there is time, that is also longer than
// NATS remembers which record it has.
func (s *striker) outage() time.Duration {
	if s.goal > 0 && s.dice.IntN(4) == 0 {
		return 150 * time.Second
	}
	return 20 * time.Second
}

// loseMajority checks that nothing is accepted that is asked for meanwhile.
func (s *striker) loseMajority() {
	chosen := s.dice.Perm(len(s.Servers))
	gone := []*fleet.Process{s.Servers[chosen[0]], s.Servers[chosen[1]]}
	for _, server := range gone {
		server.Kill()
	}
	began := time.Now()
	s.lastsWithoutNATS(s.outage(), "kill -9 %s and %s: the majority is gone", gone[0].Name, gone[1].Name)
	for _, a := range s.record.acceptedBetween(began, time.Now().Add(-time.Second)) {
		s.t.Errorf("%v after the majority was gone, %s accepted %s %s (%d)", a.Asked.Sub(began), a.Node, a.Method, a.Path, a.Status)
	}
	s.start(gone...)
}

// replaceNodes stops one node after the other in order, and starts it anew, as an operator
// does for a new version. The clients' network does not fail meanwhile: nobody may be away, unless
// the clients of a long run take all of the machine.
func (s *striker) replaceNodes() {
	s.network.isCalm.Store(true)
	defer s.network.isCalm.Store(false)
	rest(s.ctx, longestStall)
	away := s.record.figures.away.Load()
	for _, node := range s.Nodes {
		began := time.Now()
		if err := node.Stop(); err != nil {
			s.t.Error(err)
		}
		s.record.fault("SIGTERM "+node.Name, began, time.Since(began))
		s.start(node)
		if err := node.AwaitReady(s.ctx); err != nil {
			s.t.Error(err)
		}
		s.record.note("%s serves again", node.Name)
	}
	away = s.record.figures.away.Load() - away
	s.record.note("user-away came %d times while nodes were replaced", away)
	if s.goal == 0 {
		assert.Zero(s.t, away, "members that were away while nodes were replaced")
	}
}

// replaceServers does the same to the NATS servers.
func (s *striker) replaceServers() {
	for _, server := range s.Servers {
		began := time.Now()
		server.Stop() // a NATS server says by its exit status that a signal has ended it
		s.record.fault("SIGTERM "+server.Name, began, time.Since(began))
		s.start(server)
		if err := s.AwaitReady(bounded(s.t)); err != nil {
			s.t.Error(err)
		}
		s.leader()
	}
}
