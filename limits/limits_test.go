package limits_test

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

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
			require.NoError(t, l.Open(here))
		}
		e := exceeded(t, l.Open(here))
		require.Equal(t, limits.OpensPerAddress, e.Limit)
		require.Equal(t, 100*time.Millisecond, e.RetryAfter)
		require.NoError(t, l.Open(there), "another network has its own bucket")

		time.Sleep(e.RetryAfter)
		require.NoError(t, l.Open(here), "after RetryAfter")
		exceeded(t, l.Open(here))
		time.Sleep(time.Hour)
		for range 50 {
			require.NoError(t, l.Open(here))
		}
		exceeded(t, l.Open(here))
	})
}

// A refusal costs nothing: a client that was refused many times is admitted as soon as
// any other client.
func TestARefusalIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerAddress: limits.Rates{Posts: 1}})
		for range 5 {
			require.NoError(t, l.Post(here))
		}
		for range 1000 {
			require.Equal(t, time.Second, exceeded(t, l.Post(here)).RetryAfter)
		}
		time.Sleep(time.Second)
		require.NoError(t, l.Post(here))
	})
}

func TestABatchCountsByItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerSocket: limits.Rates{Posts: 100, Events: 20}, PerAddress: limits.Rates{Events: 30}})
		require.NoError(t, l.Send(here, "Ada", 64))
		require.Equal(t, limits.EventsPerSocket, exceeded(t, l.Send(here, "Ada", 64)).Limit)
		require.NoError(t, l.Send(here, "Ada", 36))
		require.NoError(t, l.Send(here, "Bob", 50))
		require.Equal(t, limits.EventsPerAddress, exceeded(t, l.Send(here, "Bob", 1)).Limit)
		require.NoError(t, l.Send(there, "Bob", 1))
	})
}

// Otherwise a batch that is larger than a full bucket would never be allowed.
func TestABatchLargerThanTheLimitNeedsAFullBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerSocket: limits.Rates{Events: 1}})
		require.NoError(t, l.Send(here, "Ada", 64))
		wait := exceeded(t, l.Send(here, "Ada", 64)).RetryAfter
		require.Equal(t, 5*time.Second, wait)
		time.Sleep(wait)
		require.NoError(t, l.Send(here, "Ada", 64))
	})
}

func TestAnEventToARoomCountsForEachReceiver(t *testing.T) {
	l := limits.New(limits.Options{PerSocket: limits.Rates{Tellings: 100}, PerAddress: limits.Rates{Tellings: 150}})
	require.NoError(t, l.Tell(here, "Ada", 500))
	require.Equal(t, limits.TellingsPerSocket, exceeded(t, l.Tell(here, "Ada", 10)).Limit)
	require.NoError(t, l.Tell(here, "Bob", 250))
	require.Equal(t, limits.TellingsPerAddress, exceeded(t, l.Tell(here, "Cyd", 10)).Limit)
	require.NoError(t, l.Tell(there, "Dan", 10))
}

func TestBytesAreCountedWhileTheyAreHeld(t *testing.T) {
	l := limits.New(limits.Options{BytesPerAddress: 100})
	first, second, other := l.Holding(here), l.Holding(here), l.Holding(there)
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

	unbounded := limits.New(limits.Options{}).Holding(here)
	require.NoError(t, unbounded.Take(1<<30))
	unbounded.Release()
}

// Guessing is slow. After too many wrong guesses even the right secret is refused:
// otherwise the answer would show that the guess was right.
func TestGuessesRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{})
		for range 1000 {
			require.NoError(t, l.Guess(here, true), "a client that knows the secret may ask as often as it likes")
		}
		for range 10 {
			require.NoError(t, l.Guess(here, false))
		}
		exceeded(t, l.Guess(here, false))
		require.Equal(t, limits.GuessesPerAddress, exceeded(t, l.Guess(here, true)).Limit)
		require.NoError(t, l.Guess(there, true))
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, l.Guess(here, true))
	})
}

func TestWithoutLimitsEverythingIsGranted(t *testing.T) {
	l := limits.New(limits.Options{})
	for range 10_000 {
		require.NoError(t, errors.Join(l.Open(here), l.Resume("Ada"), l.Post(here), l.Send(here, "Ada", 64), l.Tell(here, "Ada", 1000)))
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
		require.NoError(t, l.Open(netip.PrefixFrom(address, 32)))
	}
	require.Less(t, heap()-before, uint64(32<<20))
	runtime.KeepAlive(l)
}

func TestManyMayAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{PerAddress: limits.Rates{Opens: 20}})
		var asking sync.WaitGroup
		granted := make(chan int, 10)
		for n := range 10 {
			asking.Go(func() {
				count := 0
				for range 50 {
					if l.Open(here) == nil {
						count++
					}
					if l.Resume(fmt.Sprint(n)) != nil {
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
	b.ReportAllocs()
	for b.Loop() {
		if err := errors.Join(l.Post(here), l.Send(here, "Ada", 1)); err != nil {
			b.Fatal(err)
		}
	}
}
