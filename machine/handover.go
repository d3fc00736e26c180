package machine

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"signaling-server/internal/wire"
)

// AppendState appends the state of a node that is alone to b, so that another process can go on
// with it: see [Machine.RestoreState]. Nothing may change the state meanwhile, and
// [signaling-server/sse.Hub.Settle] comes before it. The time is what Elapsed of
// [signaling-server/sse.Options] returns now.
func (m *Machine) AppendState(b []byte, elapsed time.Duration) []byte {
	b = binary.AppendVarint(append(b, formatVersion), int64(elapsed))
	b = wire.AppendText(b, m.Hub.AppendSnapshot(nil))
	return wire.AppendText(b, m.Rooms.AppendSnapshot(nil))
}

// RestoreState makes an empty machine go on with a state. It returns the time from which Elapsed
// of [signaling-server/sse.Options] must go on. If there is an error, the machine must not be
// used. It is ErrVersion if another version has written the state.
func (m *Machine) RestoreState(state []byte) (elapsed time.Duration, err error) {
	if len(state) == 0 || state[0] != formatVersion {
		return 0, ErrVersion
	}
	from := wire.NewReader(state[1:])
	elapsed = time.Duration(from.Varint())
	return elapsed, m.restore(from)
}

// restore reads what follows in a snapshot or a state: the sockets and the rooms.
func (m *Machine) restore(from *wire.Reader) error {
	sockets, rooms := from.Bytes(), from.Bytes()
	if err := from.End(); err != nil {
		return err
	}
	if err := m.Hub.Restore(sockets); err != nil {
		return err
	}
	return m.Rooms.Restore(rooms)
}

// Gate is a [State] that can be closed. Any goroutine may call its methods.
type Gate struct {
	State
	mu       sync.RWMutex // held for reading while a command is applied
	isClosed bool         // guarded by mu
}

// Close waits for the commands under way, and refuses all later ones with ErrNotReady.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isClosed = true
}

// Post implements [State].
func (g *Gate) Post(ctx context.Context, p *Post) (Outcomes, bool, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.isClosed {
		return "", false, ErrNotReady
	}
	return g.State.Post(ctx, p)
}

// Operate implements [State].
func (g *Gate) Operate(ctx context.Context, o Operation) (Outcome, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.isClosed {
		return 0, ErrNotReady
	}
	return g.State.Operate(ctx, o)
}
