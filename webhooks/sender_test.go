package webhooks_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/webhooks"
)

const address = "https://user:password@backend.example/hooks?key=hidden"

func TestABackEndLearnsWhoIsInWhichRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := new(receiver)
		s := start(t, webhooks.Options{URL: address, Transport: backend})
		s.enter("tea", "a")
		s.enter("tea", "b")
		s.Remove("b", "transport close")
		require.NoError(t, s.Leave("a", ""))
		synctest.Wait()
		require.Equal(t, []string{
			"room-created tea", "member-joined tea ua a", "member-joined tea ub b", "member-left tea ub b transport close",
			"member-left tea ua a left", "room-closed tea",
		}, backend.lines())
		for i, one := range backend.list() {
			require.Regexp(t, fmt.Sprintf("^msg_[A-Z2-7]{26}_%d$", i+1), one.ID)
			require.Equal(t, "2000-01-01T00:00:00.000Z", one.At)
		}
		require.Equal(t, 6, s.sender.Status().Waiting, "it is not noted yet")
		time.Sleep(time.Second)
		synctest.Wait()
		status := s.sender.Status()
		require.Zero(t, status.Waiting)
		require.Equal(t, uint64(6), status.Delivered)
		require.True(t, status.IsSender)
		require.Empty(t, s.log.String())
		s.stop()
	})
}

func TestEachSecretSigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := new(receiver)
		s := start(t, webhooks.Options{URL: address, Transport: backend, Secrets: [][]byte{[]byte("a newer secret of the server"), secret}})
		s.enter("tea", "a")
		synctest.Wait()
		require.Len(t, backend.list(), 2)
		s.stop()
	})
}

// The example of the Standard Webhooks.
func TestTheSignatureIsThatOfTheStandard(t *testing.T) {
	key, err := webhooks.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		webhooks.Sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`)))
	for _, wrong := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_" + strings.Repeat("AAAA", 22), "whsec_AAAA"} {
		_, err := webhooks.ParseSecret(wrong)
		require.ErrorIs(t, err, webhooks.ErrSecret, wrong)
	}
}

// attempts notes when attempts came, and fails so many.
type attempts struct {
	*receiver
	fail func(*http.Request) (*http.Response, error)

	lock sync.Mutex // guards what follows
	at   []time.Time
	left int
}

func (a *attempts) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.fails() {
		return a.fail(r)
	}
	return a.receiver.RoundTrip(r)
}

func (a *attempts) fails() bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.at = append(a.at, time.Now())
	a.left--
	return a.left >= 0
}

func answering(status int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: http.NoBody, Request: r}, nil
	}
}

// hangs never answers.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Whatever the receiver does but accept, the change is sent again, after pauses that grow.
func TestWhatIsNotAcceptedIsSentAgain(t *testing.T) {
	for name, fail := range map[string]func(*http.Request) (*http.Response, error){
		"an error":    answering(http.StatusInternalServerError),
		"a redirect":  answering(http.StatusMovedPermanently, "Location", "https://elsewhere.example/"),
		"it is gone":  answering(http.StatusGone),
		"no answer":   hangs,
		"a reset":     func(*http.Request) (*http.Response, error) { return nil, errors.New("connection reset by peer") },
		"switches":    answering(http.StatusSwitchingProtocols),
		"come later":  answering(http.StatusServiceUnavailable, "Retry-After", "30"),
		"never again": answering(http.StatusTooManyRequests, "Retry-After", "99999999999"),
		"come then": func(r *http.Request) (*http.Response, error) {
			return answering(http.StatusServiceUnavailable, "Retry-After", time.Now().Add(31*time.Second).UTC().Format(http.TimeFormat))(r)
		},
		"come before": answering(http.StatusServiceUnavailable, "Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend := &attempts{receiver: new(receiver), left: 11, fail: fail}
				s := start(t, webhooks.Options{URL: address, Transport: backend})
				s.enter("tea", "a")
				time.Sleep(time.Hour)
				synctest.Wait()
				require.Equal(t, []string{"room-created tea", "member-joined tea ua a"}, backend.lines())
				require.Len(t, backend.at, 13)
				longest := webhooks.FirstPause
				for i := range 11 {
					pause := backend.at[i+1].Sub(backend.at[i])
					if name == "no answer" {
						pause -= webhooks.AnswerWithin
					}
					least := longest / 2
					switch name {
					case "come later", "come then":
						least = max(least, 30*time.Second)
					case "never again":
						least = webhooks.LongestPause
					}
					require.GreaterOrEqual(t, pause, least, i)
					require.LessOrEqual(t, pause, max(least+time.Second, longest), i)
					longest = min(2*longest, webhooks.LongestPause)
				}
				synctest.Wait()
				status := s.sender.Status()
				require.Equal(t, uint64(11), status.FailedAttempts)
				require.False(t, status.IsFailing)
				require.NotZero(t, status.LastFailure.At)
				require.True(t, status.LastFailure.Status > 0 || status.LastFailure.Text != "")
				require.Equal(t, 2, strings.Count(s.log.String(), "\n"), s.log.String())
				for _, hidden := range []string{"password", "hidden", "elsewhere"} {
					require.NotContains(t, s.log.String()+status.LastFailure.Text, hidden)
				}
				s.stop()
			})
		})
	}
}

// Nothing of a client waits for a receiver that hangs: in this bubble, time goes on only when all
// goroutines wait, and it does not go on.
func TestNothingWaitsForAReceiverThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := &attempts{receiver: new(receiver), left: 1 << 30, fail: hangs}
		s := start(t, webhooks.Options{URL: address, Transport: backend})
		for i := range 1000 {
			s.enter(fmt.Sprint("room", i), fmt.Sprint("s", i))
		}
		synctest.Wait()
		require.Len(t, backend.at, webhooks.LaneCount, "each lane waits for the receiver")
		began := time.Now()
		for i := range 10_000 {
			s.enter(fmt.Sprint("room", i%100), "a")
		}
		require.Zero(t, time.Since(began))
		status := s.sender.Status()
		require.Equal(t, webhooks.DefaultChanges, status.Waiting)
		require.Equal(t, status.Last-webhooks.DefaultChanges, status.Dropped)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 1, strings.Count(s.log.String(), "dropped="), s.log.String())
		s.stop()
	})
}

// Lanes that wait try at once when the receiver is back.
func TestAllAreSentSoonWhenTheReceiverIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := new(receiver)
		backend.set(func(received) int { return http.StatusBadGateway })
		s := start(t, webhooks.Options{URL: address, Transport: backend})
		for i := range 50 {
			s.enter(fmt.Sprint("room", i), fmt.Sprint("s", i))
		}
		time.Sleep(2 * time.Hour)
		require.True(t, s.sender.Status().IsFailing)
		backend.set(nil)
		for len(backend.list()) == 0 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		require.Len(t, backend.list(), 100)
		require.Equal(t, 2, strings.Count(s.log.String(), "\n"), s.log.String())
		s.stop()
	})
}

// A user may call a room what the receiver never accepts. This room waits, until newer changes push it
// out, and is tried more and more rarely. No other room waits, and the log does not say it again and again.
func TestAChangeThatIsNeverAcceptedHoldsUpItsRoomAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := new(receiver)
		var attempts atomic.Int64
		backend.set(func(one received) int {
			if strings.HasPrefix(one.Data.RoomID, "poison") {
				attempts.Add(1)
				return http.StatusInternalServerError
			}
			return http.StatusNoContent
		})
		s := start(t, webhooks.Options{URL: address, Transport: backend, Changes: 200})
		for i := range 40 { // each lane has some, or nearly each
			s.enter(fmt.Sprint("poison", i), fmt.Sprint("p", i))
			s.enter(fmt.Sprint("poison", i), fmt.Sprint("q", i))
		}
		for i := range 30 {
			time.Sleep(time.Minute)
			s.enter(fmt.Sprint("room", i), fmt.Sprint("s", i))
			time.Sleep(2 * time.Second)
			require.Len(t, backend.lines(), 2*(i+1), "the others go on at once")
		}
		synctest.Wait()
		status := s.sender.Status()
		require.Equal(t, 120, status.Waiting, "their creation, and two members of each")
		require.True(t, status.IsFailing)
		require.LessOrEqual(t, attempts.Load(), int64(40*(13+30*60/150)), "few of each room")
		require.Contains(t, status.LastFailure.ID, "msg_")
		require.Equal(t, 1, strings.Count(s.log.String(), "\n"), s.log.String())
		for i := range 170 {
			s.enter(fmt.Sprint("room", i%2), "s0")
			time.Sleep(10 * time.Second)
		}
		time.Sleep(2 * webhooks.LongestPause)
		status = s.sender.Status()
		require.Zero(t, status.Waiting)
		require.Equal(t, uint64(120), status.Dropped)
		require.False(t, status.IsFailing)
		s.stop()
	})
}

// Receivers that fail at random have each room's changes in order, and none is missing.
func TestTheChangesOfARoomArriveInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := new(receiver)
		backend.set(func(received) int {
			return []int{http.StatusNoContent, http.StatusNoContent, http.StatusInternalServerError}[rand.IntN(3)]
		})
		s := start(t, webhooks.Options{URL: address, Transport: backend})
		for i := range 400 {
			s.enter(fmt.Sprint("room", i%20), fmt.Sprint("s", i%7))
			if i%50 == 0 {
				time.Sleep(time.Second)
				s.setSender(i%100 != 0)
			}
		}
		s.setSender(true)
		time.Sleep(3 * time.Hour)
		require.Zero(t, s.sender.Status().Waiting)
		list, info := s.Changes(0, 10_000)
		want, got := map[string][]string{}, map[string][]string{}
		for _, c := range list {
			want[c.RoomID] = append(want[c.RoomID], fmt.Sprintf("msg_%s_%d", info.Source, c.Sequence))
		}
		seen := map[string]bool{}
		for _, one := range backend.list() {
			if !seen[one.ID] {
				got[one.Data.RoomID] = append(got[one.Data.RoomID], one.ID)
			}
			seen[one.ID] = true
		}
		require.Equal(t, want, got)
		s.stop()
	})
}

func TestOnlyTheNodeThatSendsSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := new(receiver)
		s := start(t, webhooks.Options{URL: address, Transport: backend})
		s.setSender(false)
		s.enter("tea", "a")
		time.Sleep(time.Minute)
		require.Empty(t, backend.list())
		require.False(t, s.sender.Status().IsSender)
		s.setSender(true)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Len(t, backend.list(), 2)

		s.enter("tea", "b")
		synctest.Wait()
		s.setSender(false)
		s.sender.Changed(false)
		synctest.Wait()
		require.Equal(t, 1, s.sender.Status().Waiting)
		s.setSender(true)
		s.sender.Changed(false)
		synctest.Wait()
		require.Len(t, backend.list(), 4, "what is not noted yet is repeated by a node that sends again")
		time.Sleep(time.Second)
		require.Equal(t, uint64(3), s.sender.Status().Delivered)
		require.Zero(t, s.sender.Status().Waiting)

		backend.set(func(received) int { return http.StatusBadGateway })
		s.enter("tea", "c")
		time.Sleep(time.Second)
		require.True(t, s.sender.Status().IsFailing)
		s.setSender(false)
		time.Sleep(10 * time.Second)
		require.False(t, s.sender.Status().IsFailing)
		s.stop()
	})
}

// What is to be sent again has the same IDs, and comes at once even if a lane waits.
func TestChangesAreSentAgainWhenAnOperatorAsksForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := new(receiver)
		s := start(t, webhooks.Options{URL: address, Transport: backend})
		s.enter("tea", "a")
		time.Sleep(time.Minute)
		since := time.Now()
		s.enter("tea", "b")
		time.Sleep(time.Minute)
		s.Replay(since)
		synctest.Wait()
		all := backend.list()
		require.Len(t, all, 4)
		require.Equal(t, all[2], all[3])

		backend.set(func(received) int { return http.StatusInternalServerError })
		s.enter("tea", "c")
		time.Sleep(time.Hour)
		backend.set(nil)
		s.Replay(since)
		time.Sleep(time.Second)
		require.Len(t, backend.list(), 6)
		require.Zero(t, s.sender.Status().Waiting)
		s.stop()
	})
}
