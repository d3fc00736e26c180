package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"signaling-server/server"
)

// ownMemory is what the process takes without any client: its code, its pages, and
// the contract.
const ownMemory = 48 << 20

// memory is what the process may take, and how much of it is for clients.
type memory struct{ limit, forClients int64 }

// newMemory divides the memory that the process may take. What is for clients is
// three fifths of what is left beside the process's own: the garbage collector needs
// the rest to keep pace. The Go runtime gets a limit too, unless GOMEMLIMIT set one.
func newMemory(c config) (memory, error) {
	limit := c.MemoryLimit
	if limit == 0 {
		found, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
		if err != nil {
			return memory{}, fmt.Errorf("the machine's memory cannot be found out: set MEMORY_LIMIT (%w)", err)
		}
		limit = int64(found)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 100 * 85)
	}
	return memory{limit, max(limit-ownMemory, limit/4) / 5 * 3}, nil
}

// announce says what the limits allow clients to hold at worst, and warns if that
// is more than the memory for them.
func (m memory) announce(c config, logger *slog.Logger) {
	worst := c.worstCase()
	level, message := slog.LevelInfo, "memory for clients"
	if worst > m.forClients {
		level = slog.LevelWarn
		message = "the limits allow more than the memory for clients; when that is used up, newcomers are refused and the sockets with the most unread end"
	}
	logger.Log(context.Background(), level, message, "processLimit", inMiB(m.limit), "forClients", inMiB(m.forClients), "atWorst", inMiB(worst))
}

// worstCase is what clients can hold if each has all that it may have.
func (c config) worstCase() int64 {
	const (
		perEvent  = 32        // of an outbox, beside its data
		perSocket = 128 << 10 // remembered answers, the stream and its connection
	)
	outbox := int64(c.Limits.OutboxBytes)*5/4 + int64(c.Limits.OutboxEvents)*2*perEvent
	return int64(c.Limits.MaxSockets) * (outbox + perSocket)
}

func inMiB(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

const (
	giveBackInterval = 10 * time.Second
	// idleMemory is what an idle process has from the operating system.
	idleMemory = 24 << 20
	// enoughExcess is how much more than its holders account for the process may keep,
	// beside as much again as they do, which is what the garbage collector uses.
	enoughExcess = 8 << 20
	// maxPatience is how long a try is put off at most after one that did not help.
	maxPatience = 10 * time.Minute
)

// giveBack returns memory to the operating system after a rush, until ctx is done.
// Left alone, an idle process collects its garbage after two minutes, and returns it
// later still.
func (m memory) giveBack(ctx context.Context, s *server.Server) {
	ticker := time.NewTicker(giveBackInterval)
	defer ticker.Stop()
	patience, next := giveBackInterval, time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			used, limit := s.ClientMemory()
			excess := excessOver(used)
			switch {
			case used >= limit:
				runtime.GC() // what is charged until it is collected may be garbage
			case excess > enoughExcess && !now.Before(next):
				debug.FreeOSMemory()
				if used, _ := s.ClientMemory(); excessOver(used) < excess/2 {
					patience = giveBackInterval
				} else {
					patience = min(2*patience, maxPatience)
				}
				next = now.Add(patience)
			}
		}
	}
}

// excessOver is how many bytes the process has from the operating system beyond what
// it needs while so many are held for clients.
func excessOver(used int64) int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	held := int64(samples[0].Value.Uint64()) - int64(samples[1].Value.Uint64())
	return held - idleMemory - 2*used
}
