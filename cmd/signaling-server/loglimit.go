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

// What one address may write to the log. A line has about 150 bytes, so an address
// that never stops fills 260 MB a day.
const (
	logRate  = 20   // lines per second
	logBurst = 1000 // lines at once: all pupils of a school arrive together, from one address

	// leftOutInterval is how long lines are left out before a line reports their number.
	leftOutInterval = 10 * time.Second

	maxLogShares  = 1 << 12 // shares at once; beyond it the least recently used share starts afresh
	maxLogSockets = 1 << 15 // sockets whose address is remembered
	maxLeftOut    = 1 << 8  // shares that leave out lines at once; beyond it the oldest is reported early
)

// logSharer is a handler that lets each address write its share of the log, and counts
// the lines that it leaves out.
//
// A line belongs to the address in its attribute ip. Without ip, it belongs to the
// address from which its socketId was last read. Any other line belongs to the
// beginning of its message, so all lines of one kind from net/http have one share.
// Warnings and errors have shares of their own, so that a flood of other lines cannot
// hide them.
//
// The lines about what operators did are never left out, whatever the level is: they are the
// audit log. Neither are lines at the level debug: an operator who sets that level wants every request.
type logSharer struct {
	slog.Handler
	least  slog.Level // of other lines
	shares *logShares
	ip     string // the attribute ip of the logger itself, if it has one
}

// newLogSharer returns a handler for lines of a level or above. The next handler must take the
// lines about operators too, which have the level info.
func newLogSharer(next slog.Handler, least slog.Level) logSharer {
	return logSharer{Handler: next, least: least, shares: newLogShares()}
}

// Handle implements [slog.Handler].
func (s logSharer) Handle(ctx context.Context, r slog.Record) error {
	isAudit := r.Level == slog.LevelInfo && strings.HasPrefix(r.Message, httpapi.AuditPrefix)
	if r.Level < s.least && !isAudit {
		return nil
	}
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
	isFree := r.Level < slog.LevelInfo || isAudit
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

// reportAll reports all lines that were left out and not yet reported.
func (s logSharer) reportAll() { s.report(context.Background(), s.shares.takeAll()) }

func (s logSharer) report(ctx context.Context, due []leftOut) {
	for _, one := range due {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines left out", 0)
		r.AddAttrs(slog.Int("count", one.count), slog.String("of", one.owner.String()), slog.String("since", one.since.UTC().Format(time.RFC3339)))
		_ = s.Handler.Handle(ctx, r) // if the log fails, there is no other place to report it
	}
}

// logOwner is an address, or the beginning of a message, that has a share of the log.
type logOwner struct {
	network netip.Prefix // the zero Prefix: message is the owner
	message string
	isGrave bool // the share is for warnings and errors
}

// String returns the name of the owner for the log.
func (o logOwner) String() string {
	if o.network.IsValid() {
		return o.network.String()
	}
	return o.message
}

// maxLogMessage is how many bytes at the beginning of a message name its kind.
const maxLogMessage = 24

// kindOf returns the beginning of a message. It is a copy: a share that keeps it does
// not keep the whole message.
func kindOf(message string) string {
	return strings.ToValidUTF8(strings.Clone(message[:min(len(message), maxLogMessage)]), "")
}

// leftOut is how many lines of an owner were left out, and since when.
type leftOut struct {
	owner logOwner
	count int
	since time.Time
}

// logShare is how much one owner may still write.
type logShare struct {
	limiter *rate.Limiter
	left    *leftOut // nil: no line is left out
}

// logShares holds the shares of all owners. Any goroutine may call its methods.
type logShares struct {
	mu      sync.Mutex // guards what follows; held for look-ups only
	shares  *lru.Cache[logOwner, *logShare]
	sockets *lru.Cache[string, netip.Prefix] // the network from which each socket was last read
	left    []*logShare                      // shares that leave out lines, the oldest first
}

func newLogShares() *logShares {
	shares, err := lru.New[logOwner, *logShare](maxLogShares)
	if err != nil {
		panic(err) // only if the size is not positive
	}
	sockets, err := lru.New[string, netip.Prefix](maxLogSockets)
	if err != nil {
		panic(err)
	}
	return &logShares{shares: shares, sockets: sockets}
}

// take reports whether a line may be written, and returns the reports that are due
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

// networkOf returns the network that a line belongs to. If the line has an ip and a
// socketId, it remembers the network of that socket.
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
