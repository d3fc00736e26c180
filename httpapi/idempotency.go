package httpapi

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// What is remembered for each socket.
const (
	// maxKeys is how many answers are remembered at most.
	maxKeys = 64
	// fewKeys is how many answers are remembered even if memory is short.
	fewKeys = 8
	// maxKeyLength is how many characters a key may have.
	maxKeyLength = 64
	// keyCost is how many bytes a key takes, together with the shortest answer.
	keyCost = 512
	// maxAnswers is how many bytes all answers may take together, without their keys.
	maxAnswers = 64 << 10
	// answerExcess is by how many bytes an answer may exceed the size of its request.
	answerExcess = 1 << 10
)

// errUnanswered is the reply to a repeat if the first POST ended in a panic. The server
// cannot know what that POST did, so it must not say that the event was accepted.
var errUnanswered = errors.New("the first POST with this key was never answered")

// reply is the answer to a POST. It can be sent again.
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
		writeAccepted(w)
	}
	return nil
}

// size is how many bytes the reply takes, without the cost of its key.
func (r reply) size() int {
	if p, ok := r.err.(*problem.Problem); ok {
		return sizeOf(p)
	}
	return r.results.size()
}

// short returns the reply without details. Its status stays, and so do the status, the
// type and the title of each event's result.
func (r reply) short() reply {
	if p, ok := r.err.(*problem.Problem); ok {
		return reply{err: shortProblems[p.Name]}
	}
	return reply{err: r.err, results: r.results.short()}
}

// repeats remembers the answers to each socket's latest POSTs with a key. A client that
// lost an answer can repeat the POST, and nothing is done twice.
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

	mu          sync.Mutex // guards what follows; held for look-ups only
	first       map[string]*attempt
	order       []string // oldest first; a POST under way is never forgotten
	answers     int      // bytes of the answers, without the cost of their keys
	isForgotten bool     // the socket has ended: nothing is charged for it any more
}

// attempt is the first POST with a key.
type attempt struct {
	content [sha256.Size]byte // set once
	done    chan struct{}     // closed when there is a reply
	reply   reply             // may be read once done is closed
	size    int               // of the remembered reply; guarded by socketKeys.mu
}

// answerOnce answers a POST with the reply of do. If its Idempotency-Key was used before,
// it does not call do: it sends the answer to the first POST with the key. If that POST
// is still under way, it waits for the answer.
func (a *API) answerOnce(w http.ResponseWriter, r *http.Request, socketID string, body []byte, do func() reply) error {
	if _, hasKey := r.Header["Idempotency-Key"]; !hasKey || string(body) == bareHeartbeat {
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
		return problem.Invalid(problem.Field("Idempotency-Key", "reused", "was used for another body; use a new key for each event"))
	case isFirst:
		return keys.answer(first, len(body), do).send(w)
	}
	select {
	case <-first.done:
		return first.reply.send(w)
	case <-r.Context().Done():
		return r.Context().Err() // the client does not wait any more
	}
}

// bareHeartbeat is a heartbeat as clients write it. Its answer is not remembered: to repeat
// a heartbeat does no harm, and idle sockets would have many.
const bareHeartbeat = `{"type":"heartbeat"}`

// contentOf is the hash of what a POST asks for.
func contentOf(path string, body []byte) (sum [sha256.Size]byte) {
	hash := sha256.New()
	hash.Write([]byte(path))
	hash.Write([]byte("\n"))
	hash.Write(body)
	hash.Sum(sum[:0])
	return sum
}

// isKey reports whether a text may be an Idempotency-Key.
func isKey(text string) bool {
	return text != "" && len(text) <= maxKeyLength && decode.IsVisible(text)
}

// of returns the keys of a socket. If the socket has ended meanwhile, it forgets them
// at once: [API.Forget] has been called already and will not be called again.
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

// forget drops the keys of a socket that has ended.
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
	if !k.isForgotten {
		k.isForgotten = true
		k.budget.ChargeFor(k.network, -k.answers-len(k.order)*keyCost)
	}
}

// attempt returns the first attempt with a key. If there was none before, it makes one,
// and isFirst is true.
func (k *socketKeys) attempt(key string, content [sha256.Size]byte) (first *attempt, isFirst bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if first := k.first[key]; first != nil {
		return first, false
	}
	k.makeRoom()
	first = &attempt{content: content, done: make(chan struct{}), reply: reply{err: errUnanswered}}
	key = strings.Clone(key) // the key may share memory with a whole request, which would then be kept
	k.first[key] = first
	k.order = append(k.order, key)
	k.charge(keyCost)
	return first, true
}

// charge charges bytes to the budget while the socket lives.
func (k *socketKeys) charge(bytes int) {
	if !k.isForgotten {
		k.budget.ChargeFor(k.network, bytes)
	}
}

// answer returns the reply of do to the first POST with a key, and remembers it. The
// request has requestSize bytes.
func (k *socketKeys) answer(first *attempt, requestSize int, do func() reply) reply {
	defer close(first.done)
	answer := do()
	first.reply = k.remember(first, answer, requestSize)
	return answer
}

// remember returns what is kept of an answer: the whole answer, or its short form if it
// is much larger than its request or the memory for answers is used up.
func (k *socketKeys) remember(first *attempt, answer reply, requestSize int) reply {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := answer.size()
	if size <= requestSize+answerExcess && k.answers+size <= maxAnswers && (k.isForgotten || k.budget.TakeFor(k.network, size)) {
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

// makeRoom forgets the oldest answered key if there are as many keys as may be
// remembered: maxKeys, or fewKeys while the network has used up its share of the budget.
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
