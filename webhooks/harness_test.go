package webhooks_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/webhooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deaf is a courier to sockets that always accept.
type deaf struct{}

func (deaf) Deliver(string, rooms.Event) error         { return nil }
func (deaf) Send(string, rooms.Event) error            { return nil }
func (deaf) Admit(iter.Seq[string], rooms.Event) error { return nil }
func (deaf) Tell(iter.Seq[string], rooms.Event) error  { return nil }
func (deaf) IsAway(string) (away, lives bool)          { return false, true }
func (deaf) Flush()                                    {}

var secret = []byte("0123456789abcdefghijklmnop")

// signaling is a register of rooms with a sender.
type signaling struct {
	*rooms.Rooms
	t      *testing.T
	sender *webhooks.Sender
	log    *strings.Builder
	stop   func()
	mu     sync.Mutex
	sends  bool
}

// start starts a register with a sender, as the only node. What prepare does comes before the sender runs.
func start(t *testing.T, o webhooks.Options, prepare ...func(*rooms.Rooms)) *signaling {
	s := &signaling{t: t, log: new(strings.Builder), sends: true}
	if o.Secrets == nil {
		o.Secrets = [][]byte{secret}
	}
	o.Logger = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	s.sender = webhooks.New(o)
	s.Rooms = rooms.New(deaf{}, rooms.Options{Members: 100, Changes: s.sender.Kept(), OnChange: s.sender.Changed}, slog.New(slog.DiscardHandler))
	s.sender.Serve(s.Rooms, machine.Alone{Machine: &machine.Machine{Rooms: s.Rooms}}, s.isSender)
	for _, one := range prepare {
		one(s.Rooms)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.sender.Run(ctx) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(s.stop)
	return s
}

func (s *signaling) isSender() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sends
}

func (s *signaling) setSender(sends bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sends = sends
}

func (s *signaling) enter(roomID, socketID string) {
	s.t.Helper()
	require.NoError(s.t, s.Join(socketID, rooms.JoinRequest{RoomID: roomID, UserID: "u" + socketID}))
}

// received is a webhook as the receiver has it.
type received struct {
	ID   string
	Type string `json:"type"`
	At   string `json:"timestamp"`
	Data struct{ RoomID, UserID, SocketID, Reason string }
}

func (r received) String() string {
	return strings.TrimSpace(fmt.Sprintln(r.Type, r.Data.RoomID, r.Data.UserID, r.Data.SocketID, r.Data.Reason))
}

// receiver is a back end. It accepts what has a right signature, unless answer says otherwise.
type receiver struct {
	mu     sync.Mutex
	answer func(received) int // status; nil: 204
	all    []received         // that were accepted
	tried  int
}

func (r *receiver) set(answer func(received) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// accept judges a webhook. It returns the status of the answer.
func (r *receiver) accept(header http.Header, body []byte) int {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(header.Get("webhook-id") + "." + header.Get("webhook-timestamp") + "." + string(body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); !strings.Contains(" "+header.Get("webhook-signature")+" ", " "+want+" ") {
		return http.StatusUnauthorized
	}
	one := received{ID: header.Get("webhook-id")}
	if json.Unmarshal(body, &one) != nil {
		return http.StatusBadRequest
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried++
	if r.answer != nil {
		if status := r.answer(one); status != http.StatusNoContent {
			return status
		}
	}
	r.all = append(r.all, one)
	return http.StatusNoContent
}

// ServeHTTP implements [http.Handler].
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	w.WriteHeader(r.accept(request.Header, body))
}

// RoundTrip implements [http.RoundTripper], for tests without a network.
func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(request.Body)
	return &http.Response{StatusCode: r.accept(request.Header, body), Header: http.Header{}, Body: http.NoBody, Request: request}, nil
}

func (r *receiver) list() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.all...)
}

// lines describes what was accepted, without repeats.
func (r *receiver) lines() (lines []string) {
	seen := make(map[string]bool)
	for _, one := range r.list() {
		if !seen[one.ID] {
			seen[one.ID] = true
			lines = append(lines, one.String())
		}
	}
	return lines
}
