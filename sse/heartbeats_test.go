package sse_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

const (
	lost     = 18 * time.Second // a heartbeat interval and a write timeout
	reported = 30 * time.Second // what the protocol promises
)

// beats returns how many heartbeats have arrived.
func (c *client) beats() (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Count(c.arrived, []byte("event: heartbeat\n"))
}

// answersHeartbeats makes a client answer each heartbeat of its stream, some time after the
// heartbeat arrived, until a time has passed. It fails if the stream ends.
func (c *client) answersHeartbeats(hub *sse.Hub, after, until time.Duration) {
	c.t.Helper()
	synctest.Wait()
	answered, id := 0, c.socketID()
	for end := time.Now().Add(until); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if count := c.beats(); count > answered {
			answered = count
			time.AfterFunc(after, func() { _ = hub.Heartbeat(id) }) // the socket may have ended
		}
		select {
		case <-c.returned:
			require.FailNow(c.t, "the stream of a client that lives has ended")
		default:
		}
	}
}

// chatter delivers an event every second until the returned function is called.
func chatter(t *testing.T, hub *sse.Hub, socketID string) (stop func()) {
	ticker, done := time.NewTicker(time.Second), make(chan struct{})
	go func() { // ends with stop
		for {
			select {
			case <-ticker.C:
				_ = hub.Deliver(socketID, "signal", numbered(1)) // the socket may have ended
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
	}
}

// A proxy may keep a stream open, and take all that is written, after its client has gone.
func TestAClientThatSendsHeartbeatsNoMoreIsReportedInTime(t *testing.T) {
	for name, isBusy := range map[string]bool{"in a quiet room": false, "in a busy room": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
				c := connect(t, hub, nil)
				synctest.Wait()
				if isBusy {
					defer chatter(t, hub, c.socketID())()
				}
				c.answersHeartbeats(hub, 0, 100*time.Second)
				require.NoError(t, hub.Heartbeat(c.socketID()))
				gone := time.Now()
				<-c.returned
				require.InDelta(t, lost, time.Since(gone), float64(time.Second))
				kind, _ := c.lastWord()
				require.NotEqual(t, "disconnected", kind, "the client may still resume")
				time.Sleep(reported - time.Since(gone))
				require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(c.socketID()))
			})
		})
	}
}

func TestAClientThatAnswersHeartbeatsStays(t *testing.T) {
	for name, isBusy := range map[string]bool{"in a quiet room": false, "in a busy room": true} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
				c := connect(t, hub, nil)
				synctest.Wait()
				if isBusy {
					defer chatter(t, hub, c.socketID())()
				}
				c.answersHeartbeats(hub, 5*time.Second, 10*time.Minute) // over a slow network
				require.LessOrEqual(t, c.beats(), 62, "none is sent that the client need not answer")
				c.disconnect()
			})
		})
	}
}

// A plain EventSource cannot send anything.
func TestAClientThatNeverSentAHeartbeatIsNotJudged(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		hub.Authenticate(c.position().Token) // it posts something once
		time.Sleep(time.Hour)
		require.Empty(t, ended.of(c.socketID()))
		require.InDelta(t, 360, c.beats(), 10)
		c.disconnect()
	})
}

// Any request with the token shows that the client lives. A stream that brings no events in
// between still brings heartbeats.
func TestWhateverAClientSendsIsASignOfLife(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		require.NoError(t, hub.Heartbeat(c.socketID()))
		for range 20 {
			time.Sleep(17 * time.Second)
			_, lives := hub.Authenticate(c.position().Token)
			require.True(t, lives)
		}
		select {
		case <-c.returned:
			require.Fail(t, "the stream has ended")
		default:
		}
		c.disconnect()
	})
}

// To resume is a sign of life, too. But the promise stays: a client that goes right after it
// has resumed is reported.
func TestAResumeAndATakeoverAreSignsOfLife(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		require.NoError(t, hub.Heartbeat(c.socketID()))
		time.Sleep(lost - time.Second)
		position := c.position()
		c.disconnect()
		time.Sleep(8 * time.Second)
		c = connect(t, hub, position)
		synctest.Wait()
		require.True(t, c.resumed())
		time.Sleep(lost - time.Second)
		second := connect(t, hub, c.position())
		<-c.returned
		resumed := time.Now()
		<-second.returned
		require.InDelta(t, lost, time.Since(resumed), float64(time.Second))
		time.Sleep(reported - time.Since(resumed))
		require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(second.socketID()))
	})
}

// A page that was frozen goes on after its stream has ended. It loses nothing.
func TestAClientThatIsLostMayResume(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		require.NoError(t, hub.Heartbeat(c.socketID()))
		position := c.position()
		deliver(t, hub, c.socketID(), 1, 5)
		<-c.returned
		deliver(t, hub, c.socketID(), 6, 9)
		time.Sleep(9 * time.Second)
		back := connect(t, hub, position)
		synctest.Wait()
		require.True(t, back.resumed())
		requireNumbers(t, back.heard(), 1, 9)
		back.answersHeartbeats(hub, 0, time.Minute)
		require.Empty(t, ended.of(c.socketID()))
		back.disconnect()
	})
}

// A client may change to polls and back. A poll shows that the client lives when it begins,
// and is answered before that is too long ago.
func TestAPollOfAClientThatSendsHeartbeatsEndsInTime(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		id, position := c.socketID(), c.position()
		require.NoError(t, hub.Heartbeat(id))
		time.Sleep(10 * time.Second)
		began := time.Now()
		p := poll(t, hub, position, time.Minute)
		<-c.returned
		a := p.answer()
		require.Empty(t, a.Events)
		require.InDelta(t, lost, time.Since(began), float64(time.Second))
		began = time.Now()
		require.Empty(t, poll(t, hub, a.position(t), 10*time.Second).answer().Events)
		require.Equal(t, 10*time.Second, time.Since(began))

		c = connect(t, hub, a.position(t))
		c.answersHeartbeats(hub, 0, time.Minute)
		p = poll(t, hub, a.position(t), time.Minute) // the last, behind a proxy that keeps it
		time.Sleep(reported)
		require.Equal(t, []sse.Reason{sse.TransportClose}, ended.of(id))
		<-p.returned
	})
}

// A node that begins with a snapshot misses a silent client, too.
func TestASnapshotSaysWhichClientsSendHeartbeats(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		position := c.position()
		require.NoError(t, hub.Heartbeat(c.socketID()))
		snapshot := hub.AppendSnapshot(nil)
		withHub(t, sse.Options{}, func(t *testing.T, another *sse.Hub, _ *ends) {
			require.NoError(t, another.Restore(snapshot))
			again := connect(t, another, position)
			synctest.Wait()
			require.True(t, again.resumed())
			time.Sleep(lost + time.Second)
			select {
			case <-again.returned:
			default:
				require.Fail(t, "its stream goes on")
			}
		})
		c.disconnect()
	})
}

// A client on a slow link cannot answer before it has the whole event.
func TestAClientThatTakesALongTimeForOneEventIsNotLost(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		require.NoError(t, hub.Heartbeat(c.socketID()))
		c.takesTimeForAWrite(900 * time.Millisecond) // for each of the windows, which hold many pieces
		require.NoError(t, hub.DeliverMessage(c.socketID(), sse.Message{Kind: "signal", Data: inPieces(1000)}))
		hub.Flush()
		time.Sleep(45 * time.Second)
		require.Len(t, c.heard(), 1)
		c.takesTimeForAWrite(0)
		c.answersHeartbeats(hub, 0, 30*time.Second)

		position := c.position()
		position.Sequence = 0
		c.disconnect()
		p := pollBy(t, hub, position, 0, func(c *client) { c.pace = 40 * time.Millisecond })
		require.Len(t, p.answer().Events, 1)
		require.Empty(t, ended.of(c.socketID()))
	})
}

// A proxy whose client has gone may also stop taking anything. Then the write timeout need
// not run out first.
func TestAClientThatIsLostDuringAWriteIsReportedInTime(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, ended *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		require.NoError(t, hub.Heartbeat(c.socketID()))
		gone := time.Now()
		time.Sleep(lost - time.Second)
		c.stall()
		deliver(t, hub, c.socketID(), 1, 1)
		time.Sleep(reported - time.Since(gone))
		require.Len(t, ended.of(c.socketID()), 1)
		<-c.returned
	})
}

// A server that stops still sends its last word to a client that seems lost.
func TestAClientThatIsLostWhileTheServerStopsGetsTheLastWord(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		require.NoError(t, hub.Heartbeat(c.socketID()))
		time.Sleep(lost - time.Second)
		release := c.stall()
		deliver(t, hub, c.socketID(), 1, 3)
		drained := drain(t, hub, 7*time.Second)
		time.Sleep(2 * time.Second)
		release()
		require.NoError(t, <-drained)
		requireNumbers(t, c.heard(), 1, 3)
		kind, _ := c.lastWord()
		require.Equal(t, "server-shutdown", kind)
	})
}

func TestOnlyALivingSocketTakesAHeartbeat(t *testing.T) {
	inBubble(t, sse.Options{}, func(t *testing.T, hub *sse.Hub, _ *ends) {
		c := connect(t, hub, nil)
		synctest.Wait()
		id := c.socketID()
		require.NoError(t, hub.Heartbeat(id))
		hub.End(id, sse.ClientDisconnect)
		<-c.returned
		require.ErrorIs(t, hub.Heartbeat(id), sse.ErrGone)
		require.ErrorIs(t, hub.Heartbeat("nobody"), sse.ErrGone)
	})
}
