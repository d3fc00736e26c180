package sse_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/sse"
)

var (
	here  = netip.MustParsePrefix("192.0.2.1/32")
	there = netip.MustParsePrefix("192.0.2.2/32")
)

// connectFrom opens a stream from a network.
func connectFrom(t *testing.T, hub *sse.Hub, network netip.Prefix, position *sse.EventID) *client {
	c := request(t, httptest.NewRequest(http.MethodGet, "/events", nil), func(*client) {}, func(w http.ResponseWriter, r *http.Request) error {
		return hub.ServeStream(w, r, position, sse.Client{IP: network.Addr().String(), Network: network})
	})
	synctest.Wait()
	return c
}

// from makes a message that a sender causes.
func from(sender string, data string) sse.Message {
	return sse.Message{Kind: "signal", Data: sse.Line(data), From: sender}
}

// A flood harms only its sender. The target lives on, and receives what others send.
func TestASenderThatFloodsUsesUpItsOwnShareOnly(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 40, UnsentBytes: 1 << 20, RetainedEvents: 40, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		target := connectFrom(t, hub, here, nil)
		flooder, accomplice, third := connectFrom(t, hub, here, nil), connectFrom(t, hub, here, nil), connectFrom(t, hub, here, nil)
		honest := connectFrom(t, hub, there, nil)
		id, position := target.socketID(), target.position()
		target.disconnect()

		flood := func(c *client) (accepted int) {
			for hub.Send(id, from(c.socketID(), string(numbered(accepted+1)))) == nil {
				accepted++
			}
			return accepted
		}
		require.Equal(t, 10, flood(flooder), "one sender has a quarter of the outbox")
		require.Equal(t, 10, flood(accomplice), "all senders of one network have half of it")
		require.LessOrEqual(t, flood(third), 1, "the first event of each sender may pass")
		require.NoError(t, hub.Send(id, from(honest.socketID(), `{"from":"honest"}`)))
		require.NoError(t, hub.Deliver(id, "signal", []byte(`{"from":"server"}`)))
		require.Empty(t, ended.of(id))

		back := connectFrom(t, hub, here, position)
		require.True(t, back.resumed())
		heard := back.heard()
		require.Contains(t, heard, `{"from":"honest"}`)
		require.Equal(t, `{"from":"server"}`, heard[len(heard)-1])
		require.NoError(t, hub.Send(id, from(flooder.socketID(), `{"x":1}`)), "events that were read no longer count")
		for _, c := range []*client{back, flooder, accomplice, third, honest} {
			c.disconnect()
		}
	})
}

// The bytes of unsent events that one network causes have a bound, over all outboxes
// together.
func TestTheUnsentBytesOfOneNetworkAreBounded(t *testing.T) {
	onlyAlone(t)
	inBubble(t, sse.Options{UnsentPerNetwork: 1000}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		sender := connectFrom(t, hub, here, nil)
		var ids []string
		var positions []*sse.EventID
		for range 5 {
			target := connectFrom(t, hub, there, nil)
			ids, positions = append(ids, target.socketID()), append(positions, target.position())
			target.disconnect()
		}
		large := fmt.Sprintf(`{"x":"%0300d"}`, 0)
		all := slices.Values(ids)
		require.NoError(t, hub.Admit(all, from(sender.socketID(), large)))
		require.NoError(t, hub.Tell(all, from(sender.socketID(), large)), "an event that many receive counts once")
		require.NoError(t, hub.Send(ids[0], from(sender.socketID(), large)))
		require.NoError(t, hub.Send(ids[1], from(sender.socketID(), large)))
		require.ErrorIs(t, hub.Send(ids[2], from(sender.socketID(), large)), sse.ErrOverflow)
		require.ErrorIs(t, hub.Admit(all, from(sender.socketID(), large)), sse.ErrOverflow)

		back := connectFrom(t, hub, there, positions[0])
		require.NoError(t, hub.Send(ids[2], from(sender.socketID(), large)))
		back.disconnect()
		sender.disconnect()
	})
}

// A member that reads too slowly holds up broadcasts for a while only. Then it receives
// them too, and ends when its outbox is full.
func TestASlowMemberHoldsUpNoBroadcastForLong(t *testing.T) {
	onlyAlone(t)
	limits := sse.OutboxLimits{UnsentEvents: 40, UnsentBytes: 1 << 20, RetainedEvents: 40, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: limits, ResumeWindow: time.Hour}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		slow, sender := connectFrom(t, hub, here, nil), connectFrom(t, hub, there, nil)
		id := slow.socketID()
		slow.disconnect()
		all := slices.Values([]string{id, sender.socketID()})
		told := 0
		tell := func() error {
			m := from(sender.socketID(), string(numbered(told+1)))
			if err := hub.Admit(all, m); err != nil {
				return err
			}
			told++
			return hub.Tell(all, m)
		}
		for range 10 {
			require.NoError(t, tell())
			hub.Flush()
			synctest.Wait()
		}
		require.ErrorIs(t, tell(), sse.ErrOverflow)
		hub.Flush()
		time.Sleep(time.Minute)
		require.ErrorIs(t, tell(), sse.ErrOverflow, "broadcasts must not end a client that may still resume")
		hub.Flush()
		time.Sleep(9 * time.Second)
		for range 31 {
			require.NoError(t, tell())
			hub.Flush()
			synctest.Wait()
		}
		require.Equal(t, []sse.Reason{sse.SlowConsumer}, ended.of(id))
		requireNumbers(t, sender.heard(), 1, told)
		sender.disconnect()
	})
}

func TestOfUnsentEventsWithOneKeyTheLastArrivesInItsOwnPlace(t *testing.T) {
	onlyAlone(t)
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		id, position := c.socketID(), c.position()
		c.disconnect()
		for n := range 200 {
			for key, kind := range []string{"typing", "presence"} {
				m := sse.Message{Kind: "signal", Data: sse.Line(fmt.Sprintf(`{%q:%d}`, kind, n)), Key: uint64(key + 1)}
				require.NoError(t, hub.DeliverMessage(id, m))
			}
			if n%50 == 0 {
				require.NoError(t, hub.Deliver(id, "signal", numbered(n)))
			}
		}
		back := connect(t, hub, position)
		hub.Flush()
		synctest.Wait()
		require.Equal(t, []string{string(numbered(0)), string(numbered(50)), string(numbered(100)), string(numbered(150)), `{"typing":199}`, `{"presence":199}`}, back.heard())
		require.NoError(t, hub.DeliverMessage(id, sse.Message{Kind: "signal", Data: sse.Line(`{"typing":200}`), Key: 1}))
		hub.Flush()
		synctest.Wait()
		require.Equal(t, `{"typing":200}`, back.heard()[6], "an event that was sent is not replaced")
		back.disconnect()
	})
}

// An event that a reader has taken is on its way. The next event with its key comes after
// it.
func TestAnEventThatIsBeingWrittenIsNotReplaced(t *testing.T) {
	onlyAlone(t)
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		release := c.stall()
		for n := range 3 {
			m := sse.Message{Kind: "signal", Data: sse.Line(fmt.Sprintf(`{"typing":%d}`, n)), Key: 1}
			require.NoError(t, hub.DeliverMessage(c.socketID(), m))
			hub.Flush()
			synctest.Wait()
		}
		release()
		synctest.Wait()
		require.Equal(t, []string{`{"typing":0}`, `{"typing":2}`}, c.heard())
		c.disconnect()
	})
}

// A request with a position that cannot be resumed costs as much as a request for a new
// socket, for streams and for polls.
func TestARequestThatCannotResumeCostsAsMuchAsOneThatOpens(t *testing.T) {
	var opened, read int
	tooMany := errors.New("too many")
	options := sse.Options{
		MayOpen: func(network netip.Prefix) error {
			require.Equal(t, here, network)
			if opened++; opened > 2 {
				return tooMany
			}
			return nil
		},
		MayRead: func(sse.Ref) error {
			read++
			return nil
		},
	}
	inBubble(t, options, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connectFrom(t, hub, here, nil)
		deliver(t, hub, c.socketID(), 1, 2)
		synctest.Wait()
		behind, position := &sse.EventID{Token: c.position().Token}, c.position()
		c.disconnect()
		again := connectFrom(t, hub, here, position) // this confirms both events
		require.True(t, again.resumed())
		require.Equal(t, []int{1, 1}, []int{opened, read})

		overtaken := connectFrom(t, hub, here, behind)
		require.False(t, overtaken.resumed())
		require.Equal(t, []int{2, 2}, []int{opened, read})
		for range 3 {
			refused := connectFrom(t, hub, here, behind)
			<-refused.returned
			require.ErrorIs(t, refused.err, tooMany)
			err := hub.ServePoll(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/events/poll", nil), behind, 0, sse.Client{Network: here})
			require.ErrorIs(t, err, tooMany)
		}
		active, _, _ := hub.Counts()
		require.Equal(t, 2, active)
		again.disconnect()
		overtaken.disconnect()
	})
}

// The bound is on sockets, not on requests under way: a socket counts between its polls,
// too.
func TestLivingSocketsOfOneNetworkAreBoundedHoweverTheyAreRead(t *testing.T) {
	inBubble(t, sse.Options{MaxSocketsPerNetwork: 3}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		open := func(network netip.Prefix) error {
			return hub.ServePoll(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/events/poll", nil), nil, 0, sse.Client{Network: network})
		}
		for range 3 {
			require.NoError(t, open(here))
		}
		require.ErrorIs(t, open(here), sse.ErrTooMany)
		require.NoError(t, open(there))
		time.Sleep(15 * time.Second)
		synctest.Wait()
		require.NoError(t, open(here), "sockets that have ended no longer count")
	})
}

// When the budget is used up, new sockets are refused, and the sockets that hold the most
// unread end. Clients that read notice nothing.
func TestAtTheBudgetTheSocketsThatHoldTheMostUnreadEnd(t *testing.T) {
	inBubbleWithin(t, 1<<20, sse.Options{ResumeWindow: time.Hour}, func(t *testing.T, hub *sse.Hub, ended *ends, account *budget.Budget) {
		reading, lagging, hoarding := connect(t, hub, nil), connect(t, hub, nil), connect(t, hub, nil)
		synctest.Wait()
		lagging.disconnect()
		hoarding.disconnect()
		large := fmt.Sprintf(`{"x":"%0*d"}`, 10_000, 0)
		require.NoError(t, hub.Deliver(lagging.socketID(), "signal", []byte(large)))
		n := 0
		for len(ended.of(hoarding.socketID())) == 0 {
			require.Less(t, n, 200)
			_ = hub.Deliver(hoarding.socketID(), "signal", []byte(large))
			n++
			require.NoError(t, hub.Deliver(reading.socketID(), "signal", numbered(n)))
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		require.Equal(t, []sse.Reason{sse.SlowConsumer}, ended.of(hoarding.socketID()))
		require.Empty(t, ended.of(lagging.socketID()))
		requireNumbers(t, reading.heard(), 1, n)
		require.Less(t, account.Used(), int64(200_000))

		account.Charge(1 << 20)
		refused := connect(t, hub, nil)
		<-refused.returned
		require.ErrorIs(t, refused.err, sse.ErrOutOfBudget)
		account.Charge(-1 << 20)
		hub.End(lagging.socketID(), sse.ClientDisconnect)
		reading.disconnect()
		hub.End(reading.socketID(), sse.ClientDisconnect)
		require.Zero(t, account.Used(), "every charge is given back")
	})
}

// A written event is kept for as long as a client may still ask for it, and no longer.
func TestAWrittenEventIsForgottenWhenNoClientCanAskForIt(t *testing.T) {
	options := sse.Options{HeartbeatInterval: 10 * time.Second, ResumeWindow: 10 * time.Second, WriteTimeout: 8 * time.Second}
	inBubbleWithin(t, 1<<30, options, func(t *testing.T, hub *sse.Hub, _ *ends, account *budget.Budget) {
		c := connect(t, hub, nil)
		synctest.Wait()
		idle := account.Used()
		position := c.position()
		deliver(t, hub, c.socketID(), 1, 100)
		time.Sleep(45 * time.Second)
		require.Greater(t, account.Used(), idle+2000)
		position.Sequence = 50
		again := connect(t, hub, position)
		synctest.Wait()
		require.True(t, again.resumed())
		requireNumbers(t, again.heard(), 51, 100)
		time.Sleep(50 * time.Second)
		require.Equal(t, idle, account.Used())
		last := connect(t, hub, &sse.EventID{Token: position.Token, Sequence: 100})
		synctest.Wait()
		require.True(t, last.resumed(), "a client that has everything can resume without it")
		last.disconnect()
	})
}

// inPieces is data that is put together only while it is written.
type inPieces int

func (p inPieces) Len() int  { return len(`{"x":"`) + 1000*int(p) + len(`"}`) }
func (p inPieces) Held() int { return 8 }
func (p inPieces) WriteTo(w io.Writer) (written int64, err error) {
	for _, piece := range append(append([]string{`{"x":"`}, slices.Repeat([]string{string(bytes.Repeat([]byte("x"), 1000))}, int(p))...), `"}`) {
		n, err := io.WriteString(w, piece)
		if written += int64(n); err != nil {
			return written, err
		}
	}
	return written, nil
}

// A large event arrives whole, and its pieces are never in memory together.
func TestALargeEventArrivesInPiecesByStreamAndByPoll(t *testing.T) {
	inBubbleWithin(t, 1<<30, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends, account *budget.Budget) {
		c := connect(t, hub, nil)
		synctest.Wait()
		idle := account.Used()
		require.NoError(t, hub.DeliverMessage(c.socketID(), sse.Message{Kind: "signal", Data: inPieces(200)}))
		require.Less(t, account.Used()-idle, int64(100))
		hub.Flush()
		synctest.Wait()
		require.Len(t, c.heard()[0], inPieces(200).Len())
		position := *c.position()
		position.Sequence = 0
		c.disconnect()
		answered := poll(t, hub, &position, 0).answer()
		require.Len(t, answered.Events, 1)
		require.Len(t, string(answered.Events[0]), inPieces(200).Len())
	})
}

func TestEachPieceOfALargeEventHasATimeoutOfItsOwn(t *testing.T) {
	inBubble(t, sse.Options{WriteTimeout: 8 * time.Second}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		c.takesTimeForAWrite(40 * time.Millisecond) // each write has 1 KB: 200 writes take as long as one timeout
		require.NoError(t, hub.DeliverMessage(c.socketID(), sse.Message{Kind: "signal", Data: inPieces(1000)}))
		hub.Flush()
		time.Sleep(time.Minute)
		require.Len(t, c.heard(), 1, "it takes 40 s, five times as long as one write may take")
		require.Empty(t, ended.of(c.socketID()))
		c.disconnect()
	})
}

// A client that resumes within its window loses nothing, however much a member of its room
// sends meanwhile.
func TestNobodyEndsAClientThatMayStillResume(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 40, UnsentBytes: 1 << 20, RetainedEvents: 40, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: limits}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		victim, flooder, friend := connectFrom(t, hub, here, nil), connectFrom(t, hub, there, nil), connectFrom(t, hub, here, nil)
		id, position := victim.socketID(), victim.position()
		victim.disconnect()
		require.NoError(t, hub.Send(id, from(friend.socketID(), `{"from":"friend"}`)))
		for range 19 { // until just before the window runs out
			hub.Flush()
			time.Sleep(time.Second / 2)
			for range 50 {
				m := from(flooder.socketID(), `{"from":"flooder"}`)
				if hub.Admit(slices.Values([]string{id}), m) == nil {
					require.NoError(t, hub.Tell(slices.Values([]string{id}), m))
				}
			}
		}
		back := connectFrom(t, hub, here, position)
		require.True(t, back.resumed())
		require.Equal(t, `{"from":"friend"}`, back.heard()[0])
		require.Empty(t, ended.of(id))
		for _, c := range []*client{back, flooder, friend} {
			c.disconnect()
		}
	})
}

// A network does not get a new share when it closes its last socket.
func TestAShareOutlivesTheSocketsThatUsedItUp(t *testing.T) {
	limits := sse.OutboxLimits{UnsentEvents: 40, UnsentBytes: 1 << 20, RetainedEvents: 40, RetainedBytes: 1 << 20}
	inBubble(t, sse.Options{Outbox: limits, ResumeWindow: time.Minute}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		target := connectFrom(t, hub, there, nil)
		id := target.socketID()
		target.disconnect()
		accepted := 0
		for range 10 {
			sender := connectFrom(t, hub, here, nil)
			for range 20 {
				if hub.Send(id, from(sender.socketID(), `{"x":1}`)) == nil {
					accepted++
				}
			}
			hub.End(sender.socketID(), sse.ClientDisconnect)
			<-sender.returned
			hub.Flush()
			time.Sleep(time.Second)
		}
		require.Equal(t, 20, accepted, "all senders of one network have half of it")
		hub.End(id, sse.ClientDisconnect)
	})
}

// Something else uses up the budget. A socket with little unread lives on, because its
// end would free next to nothing.
func TestASocketWithLittleUnreadLivesOnAtTheBudget(t *testing.T) {
	inBubbleWithin(t, 1<<20, sse.Options{ResumeWindow: time.Minute}, func(t *testing.T, hub *sse.Hub, ended *ends, account *budget.Budget) {
		c := connect(t, hub, nil)
		synctest.Wait()
		id := c.socketID()
		c.disconnect()
		deliver(t, hub, id, 1, 10)
		account.Charge(2 << 20)
		time.Sleep(5 * time.Second)
		require.Empty(t, ended.of(id))
		account.Charge(-2 << 20)
		hub.End(id, sse.ClientDisconnect)
	})
}
