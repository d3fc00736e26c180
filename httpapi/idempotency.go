package httpapi

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"signaling-server/httpapi/problem"
	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// What is remembered for each socket.
const (
	// maxKeys is how many answers there may be.
	maxKeys = 64
	// fewKeys is how many are remembered in any case.
	fewKeys = 8
	// maxKeyLength is how many characters a key may have.
	maxKeyLength = 64
	// keyCost is how many bytes a key takes with the shortest of answers.
	keyCost = 512
	// maxAnswers is how many bytes the answers may take together beside that.
	maxAnswers = 64 << 10
	// answerExcess is how many bytes an answer may have more than its request.
	answerExcess = 1 << 10
)

// errUnanswered is what a repeat is told where the first POST ended in a panic:
// not that it was accepted.
var errUnanswered = errors.New("the first POST with this key was never answered")

// reply is what a POST is answered, so that it can be answered again.
type reply struct {
	err     error   // of one event, or of the request; nil: it was accepted
	results results // of a batch, if err is nil
}

// send writes the reply, or returns its error as a handler does.
func (r reply) send(w http.ResponseWriter) error {
	switch {
	case r.err != nil:
		return r.err
	case r.results.each != nil:
		r.results.write(w)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
	return nil
}

// size is how many bytes the reply takes beside the cost of a key.
func (r reply) size() int {
	if p, ok := r.err.(*problem.Problem); ok {
		return sizeOf(p)
	}
	return r.results.size()
}

// short returns the reply without what makes it large. It has the same status, and
// for each event the same status, type and title.
func (r reply) short() reply {
	if p, ok := r.err.(*problem.Problem); ok {
		return reply{err: shortProblems[p.Name]}
	}
	return reply{err: r.err, results: r.results.short()}
}

// repeats remembers what each socket's latest keyed POSTs were answered, so
// that one whose answer was lost can be repeated and does nothing twice.
type repeats struct {
	budget *budget.Budget // set once

	mu      sync.Mutex // guards what follows; held for look-ups only
	sockets map[string]*socketKeys
}

func newRepeats(b *budget.Budget) repeats {
	return repeats{budget: b, sockets: make(map[string]*socketKeys)}
}

// socketKeys are the keys that one socket used.
type socketKeys struct {
	// set once
	budget  *budget.Budget
	network netip.Prefix

	mu       sync.Mutex // guards what follows; held for look-ups only
	first    map[string]*attempt
	order    []string // oldest first; those under way are never forgotten
	answers  int      // bytes of the answers, beside the cost of their keys
	isForgot bool     // the socket has ended, and nothing is charged for it any more
}

// attempt is the first POST that bore a key.
type attempt struct {
	content [sha256.Size]byte // set once
	done    chan struct{}     // closed when there is a reply
	reply   reply             // read it after done
	size    int               // of the reply as it is remembered; guarded by the keys' mu
}

// answerOnce answers a POST by what do replies, or, if its Idempotency-Key was used
// before, as the first one was: if need be as soon as that is.
func (a *API) answerOnce(w http.ResponseWriter, r *http.Request, socketID string, body []byte, do func() reply) error {
	if _, hasKey := r.Header["Idempotency-Key"]; !hasKey {
		return do().send(w)
	}
	key := r.Header.Get("Idempotency-Key")
	if !isKey(key) {
		return problem.Invalid(problem.Field("Idempotency-Key", "key", "must be 1 to 64 visible ASCII characters"))
	}
	content := contentOf(r.URL.Path, body)
	keys := a.repeats.of(socketID, a.hub)
	first, isFirst := keys.attempt(key, content)
	switch {
	case first.content != content:
		return problem.Invalid(problem.Field("Idempotency-Key", "reused", "was used for another body; draw a new key for each event"))
	case isFirst:
		return keys.answer(first, len(body), do).send(w)
	}
	select {
	case <-first.done:
		return first.reply.send(w)
	case <-r.Context().Done():
		return r.Context().Err() // nobody waits for the answer any more
	}
}

// contentOf is the hash of what a POST asks for.
func contentOf(path string, body []byte) (sum [sha256.Size]byte) {
	hash := sha256.New()
	hash.Write([]byte(path))
	hash.Write([]byte("\n"))
	hash.Write(body)
	hash.Sum(sum[:0])
	return sum
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
		keys = &socketKeys{budget: rs.budget, network: hub.Network(socketID), first: make(map[string]*attempt)}
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
	keys := rs.sockets[socketID]
	delete(rs.sockets, socketID)
	rs.mu.Unlock()
	if keys != nil {
		keys.forget()
	}
}

// forget gives back what the keys are charged for.
func (k *socketKeys) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.isForgot {
		k.isForgot = true
		k.budget.ChargeFor(k.network, -k.answers-len(k.order)*keyCost)
	}
}

// attempt returns the first attempt with a key, and whether this is it. What is
// kept of the key is a copy.
func (k *socketKeys) attempt(key string, content [sha256.Size]byte) (first *attempt, isFirst bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if first := k.first[key]; first != nil {
		return first, false
	}
	k.makeRoom()
	first = &attempt{content: content, done: make(chan struct{}), reply: reply{err: errUnanswered}}
	key = strings.Clone(key)
	k.first[key] = first
	k.order = append(k.order, key)
	k.charge(keyCost)
	return first, true
}

// charge charges bytes for as long as the socket lives.
func (k *socketKeys) charge(bytes int) {
	if !k.isForgot {
		k.budget.ChargeFor(k.network, bytes)
	}
}

// answer answers the first attempt with a key by what do replies to a request of so
// many bytes, and remembers that.
func (k *socketKeys) answer(first *attempt, requestSize int, do func() reply) reply {
	defer close(first.done)
	answer := do()
	first.reply = k.remember(first, answer, requestSize)
	return answer
}

// remember returns what is kept of an answer: all of it, or its short form if it is
// much larger than its request, or the memory for it is used up.
func (k *socketKeys) remember(first *attempt, answer reply, requestSize int) reply {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := answer.size()
	if size <= requestSize+answerExcess && k.answers+size <= maxAnswers && (k.isForgot || k.budget.TakeFor(k.network, size)) {
		k.answers += size
		first.size = size
		return answer
	}
	answer = answer.short()
	first.size = answer.results.size() // the problems are shared
	k.answers += first.size
	k.charge(first.size)
	return answer
}

// makeRoom forgets the oldest key that is answered if there are as many as may be
// remembered: fewer while the network has used up its share of the budget.
func (k *socketKeys) makeRoom() {
	if len(k.order) < maxKeys && (len(k.order) < fewKeys || k.budget.HasShare(k.network)) {
		return
	}
	for i, key := range k.order {
		first := k.first[key]
		select {
		case <-first.done:
			k.charge(-first.size - keyCost)
			k.answers -= first.size
			delete(k.first, key)
			k.order = append(k.order[:i], k.order[i+1:]...)
			return
		default: // under way
		}
	}
}
