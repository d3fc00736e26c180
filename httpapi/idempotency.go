package httpapi

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"

	"signaling-server/sse"
)

const (
	// maxKeys is how many answers are remembered for each socket.
	maxKeys = 64
	// maxKeyLength is how many characters a key may have.
	maxKeyLength = 64
)

// errUnanswered is what a repeat is told where the first POST ended in a panic:
// not that it was accepted.
var errUnanswered = errors.New("the first POST with this key was never answered")

// reply is what a POST is answered, so that it can be answered again.
type reply struct {
	err  error  // nil: it was accepted
	body []byte // JSON, nil: none
}

// jsonReply makes a reply of a document, which must be one that always marshals.
func jsonReply(document any) reply {
	body, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	return reply{body: body}
}

// send writes the reply, or returns its error as a handler does.
func (r reply) send(w http.ResponseWriter) error {
	switch {
	case r.err != nil:
		return r.err
	case r.body != nil:
		w.Header().Set("Cache-Control", "no-store")
		write(w, "application/json", r.body)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
	return nil
}

// repeats remembers what each socket's latest keyed POSTs were answered, so
// that one whose answer was lost can be repeated and does nothing twice.
type repeats struct {
	mu      sync.Mutex // guards what follows; held for look-ups only
	sockets map[string]*socketKeys
}

// socketKeys are the keys that one socket used.
type socketKeys struct {
	mu    sync.Mutex // guards what follows; held for look-ups only
	first map[string]*attempt
	order []string // oldest first; those under way are never forgotten
}

// attempt is the first POST that bore a key.
type attempt struct {
	content [sha256.Size]byte
	done    chan struct{} // closed when there is a reply
	reply   reply         // read it after done
}

// once answers a POST by what do replies, or, if its Idempotency-Key was used
// before, as the first one was: if need be as soon as that is.
func (a *API) once(w http.ResponseWriter, r *http.Request, socketID string, body []byte, do func() reply) error {
	if _, hasKey := r.Header["Idempotency-Key"]; !hasKey {
		return do().send(w)
	}
	key := r.Header.Get("Idempotency-Key")
	if !isKey(key) {
		return invalid(FieldError{"Idempotency-Key", "key", "must be 1 to 64 visible ASCII characters"})
	}
	content := sha256.Sum256(append([]byte(r.URL.Path+"\n"), body...))
	keys := a.repeats.of(socketID, a.hub)
	first, isFirst := keys.attempt(key, content)
	switch {
	case first.content != content:
		return invalid(FieldError{"Idempotency-Key", "reused", "was used for another body; draw a new key for each event"})
	case isFirst:
		first.reply = reply{err: errUnanswered}
		defer close(first.done)
		first.reply = do()
	default:
		select {
		case <-first.done:
		case <-r.Context().Done():
			return r.Context().Err() // nobody waits for the answer any more
		}
	}
	return first.reply.send(w)
}

// isKey tells whether a text may be an Idempotency-Key.
func isKey(text string) bool {
	isVisible := func(r rune) bool { return r > ' ' && r < 0x7f }
	return text != "" && len(text) <= maxKeyLength && strings.IndexFunc(text, func(r rune) bool { return !isVisible(r) }) < 0
}

// of returns the keys of a socket, and forgets them at once if it has ended
// meanwhile: then nobody will say so again.
func (rs *repeats) of(socketID string, hub *sse.Hub) *socketKeys {
	rs.mu.Lock()
	keys := rs.sockets[socketID]
	if keys == nil {
		keys = &socketKeys{first: make(map[string]*attempt)}
		rs.sockets[socketID] = keys
	}
	rs.mu.Unlock()
	if _, alive := hub.Info(socketID); !alive {
		rs.forget(socketID)
	}
	return keys
}

func (rs *repeats) forget(socketID string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.sockets, socketID)
}

// attempt returns the first attempt with a key, and whether this is it.
func (k *socketKeys) attempt(key string, content [sha256.Size]byte) (first *attempt, isFirst bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if first := k.first[key]; first != nil {
		return first, false
	}
	k.makeRoom()
	first = &attempt{content: content, done: make(chan struct{})}
	k.first[key] = first
	k.order = append(k.order, key)
	return first, true
}

// makeRoom forgets the oldest key that is answered, where there are as many as
// may be remembered.
func (k *socketKeys) makeRoom() {
	if len(k.order) < maxKeys {
		return
	}
	for i, key := range k.order {
		select {
		case <-k.first[key].done:
			delete(k.first, key)
			k.order = append(k.order[:i], k.order[i+1:]...)
			return
		default: // under way
		}
	}
}
