package main

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"signaling-server/httpapi"
	"signaling-server/httpapi/clientip"
)

// What one address may write to the log. A line has some 150 bytes: an address that
// never stops fills 260 MB a day.
const (
	logRate  = 20   // lines a second
	logBurst = 1000 // lines at once: a school that comes to its lessons is one address

	// leftOutInterval is how long lines are left out before one line counts them.
	leftOutInterval = 10 * time.Second

	maxLogShares  = 1 << 12 // remembered at once; the one not seen for the longest starts afresh
	maxLogSockets = 1 << 15 // whose addresses are remembered
	maxLeftOut    = 1 << 8  // shares of which lines are left out at once; beyond it the oldest is counted early
)

// logSharer is a handler that lets each address write its share of the log, and
// counts what it leaves out. A line belongs to its attribute ip or, without one, to
// the address from which its socketId was last read. All other lines belong to the
// beginning of their message, so that net/http's of one kind are one. Warnings and
// errors have shares of their own: no flood of other lines hides them.
//
// What operators do is never left out, and nothing is at the level debug: whoever
// sets it wants each request.
type logSharer struct {
	slog.Handler
	shares *logShares
	ip     string // the attribute, if the logger has it already
}

func newLogSharer(next slog.Handler) logSharer {
	return logSharer{Handler: next, shares: newLogShares()}
}

// Handle implements [slog.Handler].
func (s logSharer) Handle(ctx context.Context, r slog.Record) error {
	ip, socketID := s.ip, ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "ip":
			ip = a.Value.String()
		case "socketId":
			socketID = a.Value.String()
		}
		return true
	})
	isFree := r.Level < slog.LevelInfo || strings.HasPrefix(r.Message, httpapi.AuditPrefix)
	takes, due := s.shares.take(logOwner{isGrave: r.Level > slog.LevelInfo}, ip, socketID, r.Message, isFree)
	s.report(ctx, due)
	if !takes {
		return nil
	}
	return s.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (s logSharer) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == "ip" {
			s.ip = a.Value.String()
		}
	}
	s.Handler = s.Handler.WithAttrs(attrs)
	return s
}

// WithGroup implements [slog.Handler].
func (s logSharer) WithGroup(name string) slog.Handler {
	s.Handler = s.Handler.WithGroup(name)
	return s
}

// reportAll counts all that was left out and not yet counted.
func (s logSharer) reportAll() { s.report(context.Background(), s.shares.takeAll()) }

func (s logSharer) report(ctx context.Context, due []leftOut) {
	for _, one := range due {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines left out", 0)
		r.AddAttrs(slog.Int("count", one.count), slog.String("of", one.owner.String()), slog.String("since", one.since.UTC().Format(time.RFC3339)))
		_ = s.Handler.Handle(ctx, r) // there is nowhere to tell that the log fails
	}
}

// logOwner is what has a share of the log.
type logOwner struct {
	network netip.Prefix // invalid: it is the message
	message string
	isGrave bool // its warnings and errors
}

// String names the owner to people.
func (o logOwner) String() string {
	if o.network.IsValid() {
		return o.network.String()
	}
	return o.message
}

// maxLogMessage is how much of a message names its kind, in bytes.
const maxLogMessage = 24

// kindOf returns the beginning of a message, which shares no memory with it.
func kindOf(message string) string {
	return strings.ToValidUTF8(strings.Clone(message[:min(len(message), maxLogMessage)]), "")
}

// leftOut is how many lines of an owner were left out since when.
type leftOut struct {
	owner logOwner
	count int
	since time.Time
}

// logShare is what one owner may still write.
type logShare struct {
	limiter *rate.Limiter
	left    *leftOut // nil: nothing is
}

// logShares are the shares of all owners. Any goroutine may call the methods.
type logShares struct {
	mu      sync.Mutex // guards what follows; held for look-ups only
	shares  *lru.Cache[logOwner, *logShare]
	sockets *lru.Cache[string, netip.Prefix] // from where each socket was last read
	left    []*logShare                      // those of which lines are left out, the oldest first
}

func newLogShares() *logShares {
	shares, err := lru.New[logOwner, *logShare](maxLogShares)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	sockets, err := lru.New[string, netip.Prefix](maxLogSockets)
	if err != nil {
		panic(err)
	}
	return &logShares{shares: shares, sockets: sockets}
}

// take reports whether a line may be written, and returns what is due to be counted
// before it.
func (s *logShares) take(owner logOwner, ip, socketID, message string, isFree bool) (takes bool, due []leftOut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	owner.network = s.networkOf(ip, socketID)
	due = s.dueAt(now)
	if isFree {
		return true, due
	}
	if !owner.network.IsValid() {
		owner.message = kindOf(message)
	}
	share, ok := s.shares.Get(owner)
	if !ok {
		share = &logShare{limiter: rate.NewLimiter(logRate, logBurst)}
		s.shares.Add(owner, share)
	}
	if share.limiter.AllowN(now, 1) {
		return true, due
	}
	if share.left == nil {
		if len(s.left) == maxLeftOut {
			due = append(due, s.takeOldest())
		}
		share.left = &leftOut{owner: owner, since: now}
		s.left = append(s.left, share)
	}
	share.left.count++
	return false, due
}

// networkOf returns where a line comes from, and remembers it of its socket.
func (s *logShares) networkOf(ip, socketID string) netip.Prefix {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		network, _ := s.sockets.Get(socketID)
		return network
	}
	network := clientip.Network(address.Unmap())
	if socketID != "" {
		s.sockets.Add(socketID, network)
	}
	return network
}

func (s *logShares) dueAt(now time.Time) (due []leftOut) {
	for len(s.left) > 0 && now.Sub(s.left[0].left.since) >= leftOutInterval {
		due = append(due, s.takeOldest())
	}
	return due
}

func (s *logShares) takeOldest() leftOut {
	share := s.left[0]
	s.left[0] = nil
	s.left = s.left[1:]
	oldest := *share.left
	share.left = nil
	return oldest
}

func (s *logShares) takeAll() (all []leftOut) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.left) > 0 {
		all = append(all, s.takeOldest())
	}
	return all
}
