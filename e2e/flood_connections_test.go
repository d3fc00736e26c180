package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Attacks by connections, and by requests under way.

// A promised body must cost nothing before it comes, and the body of a GET is never
// read.
func TestAttackPromisingBodies(t *testing.T) {
	needsFiles(t, 10_000)
	s := besiege(t)
	s.letStrangersIn()
	const promise = "Content-Type: application/json\r\nContent-Length: 65536\r\n"
	s.each(4000, dialers, func(*asker, int) {
		s.sayOnce(get("/events", "", "Accept: text/event-stream\r\n"+promise))
		s.sayOnce("POST /events HTTP/1.1\r\nHost: localhost\r\n" + promise + "\r\n")
	})
	s.hold(2 * time.Second)
	s.lift("rate-limited", "at-capacity")
}

func TestAttackIdleConnections(t *testing.T) {
	needsFiles(t, 12_000)
	s := besiege(t)
	s.letStrangersIn()
	s.each(9000, dialers, func(*asker, int) { s.sayOnce(get("/livez", "", "")) })
	s.hold(2 * time.Second)
	s.expectAtMost(4000+100, s.descriptors(), "files are open: an address may have 4,000 connections")
	s.lift()
}

// The connections of one address must leave file descriptors for others.
func TestAttackTakingAllDescriptors(t *testing.T) {
	needsFiles(t, 5000)
	s := besiegeBy(t, []string{"sh", "-c", `ulimit -n 2000; exec "$0"`})
	s.letStrangersIn()
	s.each(3000, dialers, func(*asker, int) { s.sayOnce(get("/livez", "", "")) })
	s.hold(3 * time.Second)
	s.expectAtMost(2000/2+100, s.descriptors(), "files are open: an address may have half of 2,000")
	s.lift()
}

// hold lets the attack last for a while.
func (s *siege) hold(d time.Duration) { rest(s.attack, d) }

// descriptors returns how many files the server has open.
func (s *siege) descriptors() int {
	s.t.Helper()
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.process.Pid))
	require.NoError(s.t, err)
	return len(files)
}

// Bodies of many short members cost the most to parse. They cost even more together, so
// all of them wait for their last byte.
func TestAttackBodiesOfManyShortMembers(t *testing.T) {
	s := besiege(t)
	s.letStrangersIn()
	sockets := s.openStreams(100)
	require.NotEmpty(t, sockets)
	body := `{"type":"ping"` + strings.Repeat(`,"":0`, 13_000) + `}`
	requests := []string{strings.Replace(send("/events", "", "", body), "Authorization: Bearer \r\n", "", 1)}
	for _, socket := range sockets { // each socket has a rate of its own
		requests = append(requests, send("/events", socket.token, "", body))
	}
	const connections = 500
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); s.hold(200 * time.Millisecond) {
		wires := make([]*wire, connections)
		s.each(connections, dialers, func(a *asker, i int) {
			request := requests[i%2*(1+i/2%len(sockets))] // every other request has no token
			if w, err := s.dial(); err == nil {
				w.say(request[:len(request)-1])
				wires[i] = w
			}
		})
		wires = slices.DeleteFunc(wires, func(w *wire) bool { return w == nil })
		for _, w := range wires {
			w.say("}")
		}
		s.each(len(wires), 4, func(a *asker, i int) {
			_, _, _ = wires[i].answer()
			wires[i].Close()
		})
	}
	s.expectAtMost(160<<20, int(s.resident("VmHWM")), "bytes resident at worst: an address may have 4 MiB of bodies under way")
	s.lift("rate-limited", "at-capacity")
}
