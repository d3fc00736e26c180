package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Attacks by what the server must deliver, to the attacker's own sockets and to other
// clients' sockets.

// Metadata may be only a little longer than large. The data of a signal may be only a
// little longer than largest.
var (
	large   = strings.Repeat("m", 3900)
	largest = strings.Repeat("x", 65_000)
)

// signal returns the largest possible signal to the socket of a token.
func signal(token string) string {
	digest := sha256.Sum256([]byte(token))
	return `{"type":"signal","target":"` + base64.RawURLEncoding.EncodeToString(digest[:16]) + `","data":"` + largest + `"}`
}

// joinTwice makes all sockets join the same room, and then join it again.
func (s *siege) joinTwice(tokens []string, metadata string) {
	s.each(2*len(tokens), 4, func(a *asker, i int) {
		n := i % len(tokens)
		a.ask(send("/events", tokens[n], "", joining("crowd", n, metadata)))
	})
}

func tokensOf(sockets []streaming) (tokens []string) {
	for _, socket := range sockets {
		tokens = append(tokens, socket.token)
	}
	return tokens
}

// A member that joins receives the metadata of all others. The server must not keep a
// copy for each member.
func TestAttackRostersOfStreamsThatAreNeverRead(t *testing.T) {
	s := besiege(t, "OPENS_PER_ADDRESS=0")
	s.joinTwice(tokensOf(s.openStreams(1000)), large)
	s.lift("room-full", "target-overflow", "rate-limited")
}

func TestAttackRostersOfPollsThatNeverCome(t *testing.T) {
	s := besiege(t, "OPENS_PER_ADDRESS=0", "RESUME_WINDOW=10s")
	s.joinTwice(s.openByPolls(1000), large)
	s.lift("room-full", "target-overflow", "rate-limited")
}

// Members that read everything may still resume. What the server keeps for that is
// bounded as well, and is dropped when it is old.
func TestAttackRostersOfMembersThatReadEverything(t *testing.T) {
	s := besiege(t, "OPENS_PER_ADDRESS=0")
	sockets := s.openStreams(1000)
	for _, socket := range sockets {
		socket.wire.ignore()
	}
	s.joinTwice(tokensOf(sockets), large)
	s.lift("room-full")
}

// A member that joins must learn from the roster which others are away, and not by one
// event for each of them.
func TestAttackJoiningARoomOfAbsentMembers(t *testing.T) {
	s := besiege(t, "OPENS_PER_ADDRESS=0", "RESUME_WINDOW=10s")
	absent := s.openByPolls(490)
	s.each(len(absent), 4, func(a *asker, i int) { a.ask(send("/events", absent[i], "", joining("crowd", i, ""))) })
	present := s.openStreams(500)
	rest(s.attack, 1500*time.Millisecond) // AWAY_AFTER is 1 s
	s.each(len(present), 4, func(a *asker, i int) { a.ask(batch(present[i].token, joining("crowd", 1000+i, ""), 8)) })
	s.lift()
}

// The server must refuse a member that sends more than another can take. That other
// member only polls now and then. It lives on, and hears what honest members send.
func TestAttackFillingTheOutboxOfAnother(t *testing.T) {
	s := besiege(t, phones)
	v := s.befriend("ward")
	sockets := s.openStreams(1)
	require.Len(t, sockets, 1)
	s.enter(sockets, "ward")
	s.each(400, 4, func(a *asker, i int) { a.ask(send("/events", sockets[0].token, "", signal(v.phone.token))) })
	rest(s.attack, time.Second)
	v.judge()
	s.lift("target-overflow")
}

// The same attack by many sockets. Each of them sends little.
func TestAttackFillingTheOutboxOfAnotherByMany(t *testing.T) {
	s := besiege(t, phones)
	v := s.befriend("ward")
	sockets := s.openStreams(100)
	s.enter(sockets, "ward")
	s.each(6*len(sockets), 4, func(a *asker, i int) {
		a.ask(send("/events", sockets[i%len(sockets)].token, "", signal(v.phone.token)))
	})
	rest(s.attack, time.Second)
	v.judge()
	s.lift("target-overflow", "rate-limited")
}

// The same attack by events to the whole room. Of several events about one member's
// typing, the last is enough.
func TestAttackFillingTheOutboxesOfARoomByTyping(t *testing.T) {
	s := besiege(t, phones)
	v := s.befriend("ward")
	sockets := s.openStreams(8)
	s.enter(sockets, "ward")
	s.each(16*len(sockets), 4, func(a *asker, i int) {
		a.ask(batch(sockets[i%len(sockets)].token, `{"type":"typing-start"}`, 64))
	})
	rest(s.attack, time.Second)
	v.judge()
	s.lift()
}

// No address uses more than its share, but all addresses together use more than the
// container has. The server must end sockets that read nothing, and spare those that
// read.
func TestAttackFillingTheMemoryFromManyAddresses(t *testing.T) {
	const addresses, sockets, rounds = 100, 10, 8
	s := besiege(t)
	s.each(addresses, 4, func(_ *asker, n int) {
		a := &asker{siege: s, address: fmt.Sprintf("127.0.1.%d", n+1)}
		var members []streaming
		for i := range sockets {
			if m, err := a.openStream(); err == nil {
				a.ask(send("/events", m.token, "", joining(a.address, i, "")))
				members = append(members, m)
			}
		}
		for i := range rounds * len(members) {
			from, to := members[i%len(members)], members[(i+1)%len(members)]
			a.ask(send("/events", from.token, "", signal(to.token)))
		}
	})
	s.lift()
}

// An event to a large room must cost little per member.
func TestAttackTypingToALargeRoom(t *testing.T) {
	s := besiege(t, "OPENS_PER_ADDRESS=0", "POSTS_PER_ADDRESS=0", "EVENTS_PER_ADDRESS=0")
	sockets := s.openStreams(990)
	for _, socket := range sockets {
		socket.wire.ignore()
	}
	s.enter(sockets, "crowd")
	s.settle()
	before := s.processorTime()
	s.each(30, 2, func(a *asker, i int) { a.ask(batch(sockets[i%2].token, `{"type":"typing-start"}`, 64)) })
	s.settle()
	used := s.processorTime() - before
	s.expectAtMost(3000, int(used.Milliseconds()), "milliseconds of processor time")
	s.lift()
}

// settle waits until the server has done its work, and uses less than a quarter of a
// processor.
func (s *siege) settle() {
	const moment = 400 * time.Millisecond
	for before := s.processorTime(); s.attack.Err() == nil; {
		rest(s.attack, moment)
		now := s.processorTime()
		if now-before < moment/4 {
			return
		}
		before = now
	}
}

// enter makes sockets join a room.
func (s *siege) enter(sockets []streaming, room string) {
	s.each(len(sockets), 4, func(a *asker, i int) { a.ask(send("/events", sockets[i].token, "", joining(room, i, ""))) })
}
