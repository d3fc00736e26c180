package limits_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"signaling-server/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var here, there = netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")

func exceeded(t *testing.T, err error) *limits.Exceeded {
	t.Helper()
	var e *limits.Exceeded
	require.True(t, errors.As(err, &e), "%v", err)
	return e
}

func TestABurstIsGrantedAndThenTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerAddress: limits.Rates{Opens: 10}})
		for range 50 {
			require.NoError(t, l.Network(here).Open())
		}
		e := exceeded(t, l.Network(here).Open())
		require.Equal(t, limits.OpensPerAddress, e.Limit)
		require.Equal(t, 100*time.Millisecond, e.RetryAfter)
		require.NoError(t, l.Network(there).Open(), "another network has its own bucket")

		time.Sleep(e.RetryAfter)
		require.NoError(t, l.Network(here).Open(), "after RetryAfter")
		exceeded(t, l.Network(here).Open())
		time.Sleep(time.Hour)
		for range 50 {
			require.NoError(t, l.Network(here).Open())
		}
		exceeded(t, l.Network(here).Open())
	})
}

// A refusal costs nothing: a client that was refused many times is admitted as soon as
// any other client.
func TestARefusalIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerAddress: limits.Rates{Posts: 1}})
		for range 5 {
			require.NoError(t, l.Network(here).Post())
		}
		for range 1000 {
			require.Equal(t, time.Second, exceeded(t, l.Network(here).Post()).RetryAfter)
		}
		time.Sleep(time.Second)
		require.NoError(t, l.Network(here).Post())
	})
}

func TestABatchCountsByItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerSocket: limits.Rates{Posts: 100, Events: 20}, PerAddress: limits.Rates{Events: 30}})
		var ada, bob limits.Socket
		require.NoError(t, l.Network(here).Send(&ada, 64))
		require.Equal(t, limits.EventsPerSocket, exceeded(t, l.Network(here).Send(&ada, 64)).Limit)
		require.NoError(t, l.Network(here).Send(&ada, 36))
		require.NoError(t, l.Network(here).Send(&bob, 50))
		require.Equal(t, limits.EventsPerAddress, exceeded(t, l.Network(here).Send(&bob, 1)).Limit)
		require.NoError(t, l.Network(there).Send(&bob, 1))
	})
}

// Otherwise a batch that is larger than a full bucket would never be allowed.
func TestABatchLargerThanTheLimitNeedsAFullBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerSocket: limits.Rates{Events: 1}})
		var ada limits.Socket
		require.NoError(t, l.Network(here).Send(&ada, 64))
		wait := exceeded(t, l.Network(here).Send(&ada, 64)).RetryAfter
		require.Equal(t, 5*time.Second, wait)
		time.Sleep(wait)
		require.NoError(t, l.Network(here).Send(&ada, 64))
	})
}

func TestAnEventToARoomCountsForEachReceiver(t *testing.T) {
	l := limits.New(limits.Options{PerSocket: limits.Rates{Tellings: 100}, PerAddress: limits.Rates{Tellings: 150}})
	var ada, bob, cyd, dan limits.Socket
	require.NoError(t, l.Network(here).Tell(&ada, 500))
	require.Equal(t, limits.TellingsPerSocket, exceeded(t, l.Network(here).Tell(&ada, 10)).Limit)
	require.NoError(t, l.Network(here).Tell(&bob, 250))
	require.Equal(t, limits.TellingsPerAddress, exceeded(t, l.Network(here).Tell(&cyd, 10)).Limit)
	require.NoError(t, l.Network(there).Tell(&dan, 10))
}

func TestBytesAreCountedWhileTheyAreHeld(t *testing.T) {
	l := limits.New(limits.Options{BytesPerAddress: 100})
	first, second, other := l.Network(here).Holding(), l.Network(here).Holding(), l.Network(there).Holding()
	require.NoError(t, first.Take(60))
	require.NoError(t, second.Take(40))
	require.Equal(t, limits.BytesPerAddress, exceeded(t, second.Take(1)).Limit)
	require.NoError(t, other.Take(100), "another network has its own share")
	first.Release()
	first.Release()
	require.NoError(t, second.Take(60))
	exceeded(t, first.Take(1))
	second.Release()
	require.NoError(t, first.Take(100))

	unbounded := limits.New(limits.Options{}).Network(here).Holding()
	require.NoError(t, unbounded.Take(1<<30))
	unbounded.Release()
}

// Guessing is slow. After too many wrong guesses even the right secret is refused:
// otherwise the answer would show that the guess was right.
func TestGuessesRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{})
		for range 1000 {
			require.NoError(t, l.Network(here).Guess(true), "a client that knows the secret may ask as often as it likes")
		}
		for range 10 {
			require.NoError(t, l.Network(here).Guess(false))
		}
		exceeded(t, l.Network(here).Guess(false))
		require.Equal(t, limits.GuessesPerAddress, exceeded(t, l.Network(here).Guess(true)).Limit)
		require.NoError(t, l.Network(there).Guess(true))
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, l.Network(here).Guess(true))
	})
}

func TestWithoutLimitsEverythingIsGranted(t *testing.T) {
	l := limits.New(limits.Options{})
	var ada limits.Socket
	for range 10_000 {
		require.NoError(t, errors.Join(l.Network(here).Open(), l.Resume(&ada), l.Network(here).Post(), l.Network(here).Send(&ada, 64), l.Network(here).Tell(&ada, 1000)))
	}
}

// Addresses cost an attacker nothing, so remembering them must cost us little.
func TestMemoryIsBoundedWhateverTheNumberOfAddresses(t *testing.T) {
	l := limits.New(limits.Options{PerAddress: limits.Rates{Opens: 1, Posts: 1, Events: 1}})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for n := range 300_000 {
		address := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		require.NoError(t, l.Network(netip.PrefixFrom(address, 32)).Open())
	}
	require.Less(t, heap()-before, uint64(32<<20))
	runtime.KeepAlive(l)
}

// A network whose requests are under way keeps its count, however many others come.
func TestANetworkIsNotForgottenWhileItsRequestsAreUnderWay(t *testing.T) {
	l := limits.New(limits.Options{RequestsPerAddress: 2})
	network, _, err := l.Begin(limits.Short, here)
	require.NoError(t, err)
	for n := range 60_000 {
		address := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		require.NoError(t, l.Network(netip.PrefixFrom(address, 32)).Open())
	}
	same, count, err := l.Begin(limits.Short, here)
	require.NoError(t, err)
	require.Equal(t, 2, count)
	require.Same(t, network, same)
}

// A bucket is one number, but it grants and refuses what the usual limiter does.
func TestABucketDecidesAsTheUsualLimiterDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chance := rand.New(rand.NewPCG(1, 2))
		for _, perSecond := range []int{1, 2, 5, 10, 50, 200, 4000} {
			l := limits.New(limits.Options{PerSocket: limits.Rates{Events: perSecond}})
			usual := rate.NewLimiter(rate.Limit(perSecond), 5*perSecond)
			var ada limits.Socket
			for range 2000 {
				count := 1 + chance.IntN(7*perSecond)
				reserved := usual.ReserveN(time.Now(), min(count, 5*perSecond))
				wait := reserved.Delay()
				if wait > 0 {
					reserved.Cancel()
					require.InDelta(t, wait, exceeded(t, l.Network(here).Send(&ada, count)).RetryAfter, float64(time.Microsecond))
				} else {
					require.NoError(t, l.Network(here).Send(&ada, count))
				}
				time.Sleep(time.Duration(chance.IntN(3000)) * time.Millisecond)
			}
		}
	})
}

func TestManyMayAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerAddress: limits.Rates{Opens: 20}})
		var asking sync.WaitGroup
		granted := make(chan int, 10)
		for range 10 {
			asking.Go(func() {
				count := 0
				var own limits.Socket
				for range 50 {
					if l.Network(here).Open() == nil {
						count++
					}
					if l.Resume(&own) != nil {
						count = -1000
					}
				}
				granted <- count
			})
		}
		asking.Wait()
		sum := 0
		for range 10 {
			sum += <-granted
		}
		require.Equal(t, 100, sum)
	})
}

func BenchmarkSend(b *testing.B) {
	l := limits.New(limits.Options{PerSocket: limits.Rates{Posts: 1e9, Events: 1e9}, PerAddress: limits.Rates{Posts: 1e9, Events: 1e9}})
	var ada limits.Socket
	b.ReportAllocs()
	for b.Loop() {
		if err := errors.Join(l.Network(here).Post(), l.Network(here).Send(&ada, 1)); err != nil {
			b.Fatal(err)
		}
	}
}
