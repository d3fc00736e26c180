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

// ownMemory is how many bytes the process takes without any client, for its code, its
// pages and the contract.
const ownMemory = 48 << 20

// memory is how many bytes the process may take, and how many of them are for clients.
type memory struct{ limit, forClients int64 }

// newMemory divides the memory that the process may take. The process needs ownMemory
// for itself. Clients get three fifths of the rest, and the garbage collector needs
// what is left to keep pace. The Go runtime gets a limit too, unless GOMEMLIMIT sets
// one.
func newMemory(c config) (memory, error) {
	limit := c.MemoryLimit
	if limit == 0 {
		found, err := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)()
		if err != nil {
			return memory{}, fmt.Errorf("cannot find out how much memory the machine has: set MEMORY_LIMIT (%w)", err)
		}
		limit = int64(found)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 100 * 85)
	}
	return memory{limit, max(limit-ownMemory, limit/4) / 5 * 3}, nil
}

// announce logs how much memory the limits let clients take at worst. It warns if that
// is more than the memory for clients.
func (m memory) announce(c config, logger *slog.Logger) {
	worst := c.worstCase()
	level, message := slog.LevelInfo, "memory for clients"
	if worst > m.forClients {
		level = slog.LevelWarn
		message = "the limits allow more than the memory for clients: when it is used up, newcomers are refused, and the sockets with the most unread events are ended"
	}
	logger.Log(context.Background(), level, message, "processLimit", inMiB(m.limit), "forClients", inMiB(m.forClients), "atWorst", inMiB(worst))
}

// worstCase returns how many bytes clients take if each client uses all that it may
// use.
func (c config) worstCase() int64 {
	const (
		perEvent  = 32       // in an outbox, beside its data
		perSocket = 32 << 10 // the stream
		keys      = 64       // remembered for each socket
		perKey    = 64       // beside a byte for each event
	)
	outbox := int64(c.Limits.OutboxBytes)*5/4 + int64(c.Limits.OutboxEvents)*2*perEvent
	return int64(c.Limits.MaxSockets) * (outbox + perSocket + keys*(perKey+int64(c.Limits.MaxBatch)) + int64(c.connectionBytes()))
}

func inMiB(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

const (
	giveBackInterval = 10 * time.Second
	// idleMemory is how many bytes an idle process holds from the operating system.
	idleMemory = 12 << 20
	// enoughExcess is how many bytes beyond its need the process may keep: see
	// heap.excessOver.
	enoughExcess = 8 << 20
	// maxPatience is the longest wait after a try that did not help.
	maxPatience = 10 * time.Minute
)

// giveBack returns memory to the operating system after a rush, until ctx is done.
// Without giveBack, an idle process would collect its garbage only after two minutes,
// and return the memory even later.
func (m memory) giveBack(ctx context.Context, s *server.Server) {
	ticker := time.NewTicker(giveBackInterval)
	defer ticker.Stop()
	patience, next := giveBackInterval, time.Time{}
	before := readHeap()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			used, limit := s.ClientMemory()
			current := readHeap()
			excess := current.excessOver(used, before)
			before = current
			switch {
			case used >= limit:
				runtime.GC() // some memory is charged until it is collected, and may be garbage already
			case excess > enoughExcess && !now.Before(next):
				debug.FreeOSMemory()
				used, _ := s.ClientMemory()
				if left := readHeap(); left.excessOver(used, left) < excess/2 {
					patience = giveBackInterval
				} else {
					patience = min(2*patience, maxPatience)
				}
				next = now.Add(patience)
			}
		}
	}
}

// heap is what the Go runtime says of the process's memory.
type heap struct {
	held      int64 // bytes that the process holds from the operating system
	allocated int64 // bytes that were ever allocated
}

func readHeap() heap {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return heap{int64(samples[0].Value.Uint64() - samples[1].Value.Uint64()), int64(samples[2].Value.Uint64())}
}

// excessOver returns how many bytes the process holds beyond its need. It needs what it
// holds when idle, and what it holds for clients. While it allocates much, the garbage
// collector needs as much again.
func (h heap) excessOver(used int64, before heap) int64 {
	if isQuiet := h.allocated-before.allocated < h.held/2; !isQuiet {
		used *= 2
	}
	return h.held - idleMemory - used
}
