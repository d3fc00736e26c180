package httpapi

import (
	"errors"
	"hash/maphash"
	"net/http"
	"net/netip"
	"slices"
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
	// keyCost is how many bytes a key takes at most, together with the shortest answer.
	keyCost = 128
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

// isAccepted reports whether the reply says that one event was accepted.
func (r reply) isAccepted() bool { return r.err == nil && r.results.each == nil }

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

// socketKeys are the keys of a socket's latest POSTs, with the answers. A client that lost
// an answer can repeat the POST, and nothing is done twice.
//
// Keys and bodies are kept as hashes of 64 bits. The seed is secret and changes with each
// start, so nobody can look for two texts with one hash. A client that met two by chance
// would only get a wrong answer to a POST of its own.
type socketKeys struct {
	mu          sync.Mutex  // guards what follows; held for look-ups only
	posts       []keyedPost // oldest first; a POST under way is never forgotten
	answers     int         // bytes of the answers, without the cost of their keys
	isForgotten bool        // the socket has ended: nothing is charged for it any more
}

// keyedPost is the first POST with a key.
type keyedPost struct {
	key, content uint64 // hashes
	isAnswered   bool
	answer       *reply   // nil: the event was accepted, or the POST is under way
	size         int      // of the answer
	awaited      *awaited // for repeats that came while the POST was under way
}

// awaited is the answer that repeats wait for.
type awaited struct {
	done  chan struct{} // closed when there is a reply
	reply reply         // may be read once done is closed
}

// answerOnce answers a POST with the reply of do. If its Idempotency-Key was used before,
// it does not call do: it sends the answer to the first POST with the key. If that POST
// is still under way, it waits for the answer.
func (a *API) answerOnce(w http.ResponseWriter, r *http.Request, socket sse.Ref, body []byte, do func() reply) error {
	if _, hasKey := r.Header["Idempotency-Key"]; !hasKey || string(body) == bareHeartbeat {
		return do().send(w)
	}
	key := r.Header.Get("Idempotency-Key")
	if !isKey(key) {
		return problem.Invalid(problem.Field("Idempotency-Key", "key", "must be 1 to 64 visible ASCII characters"))
	}
	account := account{a.budget, socket.Network()}
	keys := &stateOf(socket).keys
	post := keyedPost{key: maphash.String(hashSeed, key), content: contentOf(r.URL.Path, body)}
	first, isFirst := keys.begin(post, account)
	switch {
	case isFirst:
		return keys.answer(post.key, len(body), account, do).send(w)
	case first.content != post.content:
		return problem.Invalid(problem.Field("Idempotency-Key", "reused", "was used for another body; use a new key for each event"))
	case first.awaited == nil:
		return first.reply().send(w)
	}
	select {
	case <-first.awaited.done:
		return first.awaited.reply.send(w)
	case <-r.Context().Done():
		return r.Context().Err() // the client does not wait any more
	}
}

// bareHeartbeat is a heartbeat as clients write it. Its answer is not remembered: to repeat
// a heartbeat does no harm, and idle sockets would have many.
const bareHeartbeat = `{"type":"heartbeat"}`

var hashSeed = maphash.MakeSeed()

// contentOf is the hash of what a POST asks for.
func contentOf(path string, body []byte) uint64 {
	var hash maphash.Hash
	hash.SetSeed(hashSeed)
	hash.WriteString(path)
	hash.WriteByte('\n')
	hash.Write(body)
	return hash.Sum64()
}

// isKey reports whether a text may be an Idempotency-Key.
func isKey(text string) bool {
	return text != "" && len(text) <= maxKeyLength && decode.IsVisible(text)
}

// account is what the answers of a socket are charged to.
type account struct {
	budget  *budget.Budget // nil: no bound
	network netip.Prefix   // of the socket
}

// forget gives back what the keys are charged for. The socket has ended.
func (k *socketKeys) forget(to account) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.charge(to, -k.answers-len(k.posts)*keyCost)
	k.isForgotten = true
}

// begin returns the first POST with the key of this one, or notes this one as the first.
func (k *socketKeys) begin(post keyedPost, to account) (first keyedPost, isFirst bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.find(post.key); known != nil {
		if !known.isAnswered && known.awaited == nil {
			known.awaited = &awaited{done: make(chan struct{})}
		}
		return *known, false
	}
	freed := k.makeRoom(to)
	k.posts = append(k.posts, post)
	k.charge(to, keyCost-freed)
	return post, true
}

// find returns the POST with a key, or nil.
func (k *socketKeys) find(key uint64) *keyedPost {
	for i := range k.posts {
		if k.posts[i].key == key {
			return &k.posts[i]
		}
	}
	return nil
}

// charge charges bytes to the budget while the socket lives.
func (k *socketKeys) charge(to account, bytes int) {
	if !k.isForgotten && bytes != 0 {
		to.budget.ChargeFor(to.network, bytes)
	}
}

// answer returns the reply of do to the first POST with a key, and remembers it. The
// request has requestSize bytes.
func (k *socketKeys) answer(key uint64, requestSize int, to account, do func() reply) (given reply) {
	given.err = errUnanswered // until do has returned
	defer func() { k.remember(key, given, requestSize, to) }()
	given = do()
	return given
}

// remember keeps an answer: the whole answer, or its short form if it is much larger than
// its request or the memory for answers is used up.
func (k *socketKeys) remember(key uint64, given reply, requestSize int, to account) {
	k.mu.Lock()
	defer k.mu.Unlock()
	size := given.size()
	isKept := size == 0 || size <= requestSize+answerExcess && k.answers+size <= maxAnswers && (k.isForgotten || to.budget.TakeFor(to.network, size))
	if !isKept {
		given = given.short()
		size = given.results.size() // the problems are shared
		k.charge(to, size)
	}
	k.answers += size
	first := k.find(key)
	first.isAnswered, first.size = true, size
	if !given.isAccepted() {
		kept := given // in a variable of its own, so that the usual answer needs no memory
		first.answer = &kept
	}
	if first.awaited != nil {
		first.awaited.reply = given
		close(first.awaited.done)
		first.awaited = nil
	}
}

// reply returns the answer to a POST that was answered.
func (p keyedPost) reply() reply {
	if p.answer == nil {
		return reply{}
	}
	return *p.answer
}

// makeRoom forgets the oldest answered POST if there are as many as may be remembered:
// maxKeys, or fewKeys while the network has used up its share of the budget. It returns how
// many bytes that frees.
func (k *socketKeys) makeRoom(to account) (freed int) {
	if len(k.posts) < maxKeys && (len(k.posts) < fewKeys || to.budget.HasShare(to.network)) {
		return 0
	}
	oldest := slices.IndexFunc(k.posts, func(p keyedPost) bool { return p.isAnswered })
	if oldest < 0 {
		return 0 // all are under way
	}
	size := k.posts[oldest].size
	k.answers -= size
	k.posts = slices.Delete(k.posts, oldest, oldest+1)
	return keyCost + size
}
