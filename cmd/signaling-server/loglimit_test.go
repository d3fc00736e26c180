package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// newSharedLog returns a logger with this level, and the logbook that it writes to.
func newSharedLog(level string) (*slog.Logger, *logbook) {
	book := &logbook{line: make(chan string)}
	return newLogger(book, config{LogLevel: level, Environment: "production"}), book
}

func (l *logbook) count(text string) int { return strings.Count(l.String(), text) }

// counted returns how many lines a log says that it left out, by owner.
func (l *logbook) counted(t *testing.T) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for line := range strings.Lines(l.String()) {
		var told struct {
			Message string `json:"msg"`
			Level   string
			Count   int
			Of      string
			Since   time.Time
		}
		require.NoError(t, json.Unmarshal([]byte(line), &told), line)
		if told.Message == "log lines left out" {
			require.Equal(t, "WARN", told.Level)
			require.False(t, told.Since.IsZero())
			counts[told.Of] += told.Count
		}
	}
	return counts
}

func TestAnAddressHasItsShareOfTheLogAndAllOthersHaveTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newSharedLog("info")
		for range 5000 {
			logger.Info("socket connected", "socketId", "S", "ip", "192.0.2.1")
		}
		require.Equal(t, 1000, book.count("192.0.2.1"))
		logger.Info("socket connected", "socketId", "T", "ip", "192.0.2.2")
		require.Equal(t, 1, book.count("192.0.2.2"))
		require.Empty(t, book.counted(t), "they are reported later")

		time.Sleep(10 * time.Second)
		for range 300 {
			logger.Info("socket connected", "socketId", "S", "ip", "192.0.2.1")
		}
		require.Equal(t, 1000+200+1, book.count("192.0.2.1"))
		require.Equal(t, map[string]int{"192.0.2.1/32": 4000}, book.counted(t))
		reportLeftOut(logger)
		require.Equal(t, map[string]int{"192.0.2.1/32": 4100}, book.counted(t))
		reportLeftOut(logger)
		require.Equal(t, map[string]int{"192.0.2.1/32": 4100}, book.counted(t))
	})
}

// Rooms do not know addresses. Even so, a line about a client in a room belongs to the
// share of the client's address, also after its socket has ended.
func TestLinesOfASocketBelongToItsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newSharedLog("info")
		logger.Info("socket connected", "socketId", "Eve", "ip", "2001:db8::1")
		logger.Info("socket connected", "socketId", "Mallory", "ip", "2001:db8::2") // in the same /64
		logger.Info("socket connected", "socketId", "Ada", "ip", "192.0.2.1")
		logger.Info("socket disconnected", "socketId", "Eve")
		for range 1000 {
			logger.Info("room joined", "socketId", "Eve")
			logger.Info("room left", "socketId", "Mallory")
		}
		for range 100 {
			logger.Info("room joined", "socketId", "Ada")
			logger.Info("room joined", "socketId", "nobody knows")
		}
		require.Equal(t, 1000, book.count("Eve")+book.count("Mallory"))
		require.Equal(t, 101, book.count("Ada"))
		require.Equal(t, 100, book.count("nobody knows"))
		reportLeftOut(logger)
		require.Equal(t, map[string]int{"2001:db8::/64": 1003}, book.counted(t))
	})
}

func TestLinesWithoutAnAddressAreSharedByTheirKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newSharedLog("info")
		ofHTTP := slog.NewLogLogger(logger.Handler(), slog.LevelWarn) // as net/http logs
		for n := range 3000 {
			ofHTTP.Printf("http: TLS handshake error from 192.0.2.%d:%d: EOF", n%250, n)
		}
		require.Equal(t, 1000, book.count("TLS handshake"))
		logger.Info("stopping", "signal", "terminated")
		require.Equal(t, 1, book.count("stopping"))
		reportLeftOut(logger)
		require.Equal(t, map[string]int{"http: TLS handshake erro": 2000}, book.counted(t))
	})
}

func TestNoFloodHidesOperatorsCommandsOrWarnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newSharedLog("debug")
		for range 2000 {
			logger.Info("socket connected", "socketId", "S", "ip", "192.0.2.1")
		}
		for range 2000 {
			logger.Info("operator kicked a socket", "socketId", "S")
			logger.Debug("request", "path", "/events", "ip", "192.0.2.1")
		}
		logger.Warn("requests come through a proxy", "ip", "192.0.2.1")
		for range 2000 {
			logger.Warn("operator was refused what needs another scope", "ip", "192.0.2.2")
		}
		require.Equal(t, 1000, book.count("was refused"), "nothing was done")
		require.Equal(t, 1000, book.count("socket connected"))
		require.Equal(t, 2000, book.count("operator kicked"))
		require.Equal(t, 2000, book.count(`"request"`), "the level debug is for every request")
		require.Equal(t, 1, book.count("through a proxy"))
	})
}

func TestNoLevelHidesOperatorsCommands(t *testing.T) {
	for _, level := range []string{"warn", "error"} {
		for _, environment := range []string{"production", "development"} {
			var written bytes.Buffer
			logger := newLogger(&written, config{LogLevel: level, Environment: environment})
			logger.Info("operator kicked a socket", "socketId", "S")
			logger.Info("socket connected", "socketId", "S")
			logger.With("node", "n").Info("room joined", "socketId", "S")
			require.Contains(t, written.String(), "operator kicked a socket")
			require.Equal(t, 1, strings.Count(written.String(), "\n"), "%s", written.String())
		}
	}
}

func TestLinesOfALoggerWithAnAddressBelongToThatAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newSharedLog("info")
		for range 2000 {
			logger.With("ip", "192.0.2.1").WithGroup("more").Info("x", "a", 1)
			logger.With("port", 1).Info("y")
		}
		reportLeftOut(logger)
		require.Equal(t, map[string]int{"192.0.2.1/32": 1000, "y": 1000}, book.counted(t))
	})
}

// An attacker has as many addresses as it likes. Counting their lines must take a bounded
// amount of memory.
func TestTheMemoryOfSharesIsBoundedWhateverTheNumberOfAddresses(t *testing.T) {
	shares := newLogShares()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	long := strings.Repeat("x", 1<<10)
	for n := range 100_000 {
		shares.take(logOwner{}, fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255), fmt.Sprintf("socket %022d", n), "", false)
		shares.take(logOwner{}, "", "", fmt.Sprint(n, long), false)
	}
	require.Less(t, heap()-before, uint64(16<<20))
	runtime.KeepAlive(shares)
}

func TestTheNumberOfOwnersWithLinesLeftOutIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newSharedLog("info")
		const owners = maxLeftOut + 10
		for owner := range owners {
			for range 1001 {
				logger.Info("x", "ip", fmt.Sprintf("10.0.%d.%d", owner/250, owner%250))
			}
		}
		require.Len(t, book.counted(t), 10, "the oldest are reported early")
		reportLeftOut(logger)
		require.Len(t, book.counted(t), owners)
	})
}

func TestAFloodIsCountedInTheServersLogBeforeItEnds(t *testing.T) {
	s := start(t, "OPENS_PER_ADDRESS=0", "EVENTS_PER_SOCKET=0", "POSTS_PER_SOCKET=0", "POSTS_PER_ADDRESS=0")
	_, _, token := s.open(t)
	for range 600 {
		require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"join-room","roomId":"room","userId":"Ada"}`))
		require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"leave-room"}`))
	}
	require.Zero(t, s.stop(t))
	log := s.log.String()
	require.Regexp(t, `log lines left out count=\d+ of=127.0.0.1/32 since=\S+\n$`, log)
	require.Contains(t, log, "stopped")
	require.Less(t, strings.Count(log, "room joined"), 560)
}
