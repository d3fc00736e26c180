package machine

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"

	"signaling-server/internal/budget"
	"signaling-server/internal/wire"
)

const (
	// maxKeys is how many POSTs are remembered for each socket.
	maxKeys = 64
	// keyCost is how many bytes a POST takes in the list, which grows by doubling.
	keyCost = 2 * 32
)

// ErrKeyReused: the Idempotency-Key was used before, for another body or path.
var ErrKeyReused = errors.New("machine: the key was used for another POST")

// Key names a POST that its client may repeat. It holds hashes of the Idempotency-Key, and
// of what the POST asks for. The zero Key stands for a POST without one.
//
// All nodes must compute equal hashes, so the hashes have no secret, and a client can look for
// two POSTs with equal ones. Such a client harms only itself. Keys count for one socket, so
// the client gets a wrong answer to a POST of its own. xxhash reads an offer of 1.2 KB in
// 0.09 µs. SHA-256 withstands such a search, and takes 0.7 µs.
type Key struct{ Name, Content uint64 }

// NewKey returns the key of a POST with a body, to a path.
func NewKey(idempotencyKey, path string, body []byte) Key {
	var content xxhash.Digest
	content.Reset()
	_, _ = content.WriteString(path)
	_, _ = content.WriteString("\n")
	_, _ = content.Write(body)
	return Key{xxhash.Sum64String(idempotencyKey), content.Sum64()}
}

// IsZero reports whether the POST has no key.
func (k Key) IsZero() bool { return k == Key{} }

// Keys remembers what became of a socket's latest POSTs with a key. A client that lost an
// answer can repeat the POST, and nothing is done twice. The zero Keys remembers nothing yet.
// Any goroutine may call the methods.
type Keys struct {
	mu          sync.Mutex // guards what follows; held while a POST is applied, so that a repeat waits for the first
	names       []uint64   // of the posts, apart from them: each new POST is compared with all of these
	posts       []keyedPost
	oldest      int  // its place: newer posts follow, and go on at the first place
	size        int  // bytes that the posts take
	charged     int  // bytes of them that the budget counts
	isForgotten bool // the socket has ended: nothing is charged for it any more
}

// keyedPost is the first POST with a key, without the key's name.
type keyedPost struct {
	content  uint64   // of the key
	outcomes Outcomes // "": applying the POST ended in a panic
}

func (p keyedPost) size() int { return keyCost + len(p.outcomes) }

// Recall returns the outcomes of the first POST with a key, if there was one. It waits while
// that POST is applied. If the first POST ended in a panic, the outcomes are empty. The error
// is ErrKeyReused.
func (k *Keys) Recall(key Key) (outcomes Outcomes, isRepeat bool, err error) {
	if key.IsZero() {
		return "", false, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.find(key)
}

// once is Recall for a POST that is to be applied. If it is the first with its key, once
// applies it. If that panics, the POST is remembered as well: nobody knows what it did.
func (k *Keys) once(key Key, to account, apply func() Outcomes) (outcomes Outcomes, isRepeat bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if outcomes, isRepeat, err := k.find(key); isRepeat {
		return outcomes, true, err
	}
	defer func() { k.remember(key.Name, keyedPost{key.Content, outcomes}, to) }()
	return apply(), false, nil
}

func (k *Keys) find(key Key) (outcomes Outcomes, isRepeat bool, err error) {
	place := slices.Index(k.names, key.Name)
	switch {
	case place < 0:
		return "", false, nil
	case k.posts[place].content != key.Content:
		return "", true, ErrKeyReused
	}
	return k.posts[place].outcomes, true, nil
}

// remember adds a POST. If there are too many, it takes the place of the oldest.
func (k *Keys) remember(name uint64, post keyedPost, to account) {
	k.size += post.size()
	if len(k.posts) < maxKeys {
		k.names, k.posts = append(k.names, name), append(k.posts, post)
	} else {
		k.size -= k.posts[k.oldest].size()
		k.names[k.oldest], k.posts[k.oldest] = name, post
		k.oldest = (k.oldest + 1) % maxKeys
	}
	if !k.isForgotten {
		to.charge(k.size - k.charged)
		k.charged = k.size
	}
}

// forget gives back what the keys are charged for. The socket has ended.
func (k *Keys) forget(to account) {
	k.mu.Lock()
	defer k.mu.Unlock()
	to.charge(-k.charged)
	k.charged, k.isForgotten = 0, true
}

// account is what the keys of a socket are charged to.
type account struct {
	budget  *budget.Budget // nil: nothing is counted
	network netip.Prefix   // of the socket
}

func (a account) charge(bytes int) { a.budget.ChargeFor(a.network, bytes) }

// AppendBinary implements [encoding.BinaryAppender]. Equal keys have equal bytes. It must not
// be called while a POST of the socket is applied.
func (k *Keys) AppendBinary(b []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	b = binary.AppendUvarint(b, uint64(len(k.posts)))
	for i := range k.posts {
		place := (k.oldest + i) % len(k.posts)
		post := k.posts[place]
		b = wire.AppendText(appendKey(b, Key{k.names[place], post.content}), string(post.outcomes))
	}
	return b, nil
}

// UnmarshalBinary implements [encoding.BinaryUnmarshaler]. What it restores is charged with
// the next POST that is remembered.
func (k *Keys) UnmarshalBinary(b []byte) error {
	r := wire.NewReader(b)
	count := r.Count()
	if count > maxKeys {
		r.Fail(errMalformed)
	}
	var names []uint64
	var posts []keyedPost
	size := 0
	for range count {
		key := readKey(r)
		post := keyedPost{key.Content, newOutcomes(readOutcomes(r, nil))}
		if r.Err() != nil {
			break
		}
		names, posts = append(names, key.Name), append(posts, post)
		size += post.size()
	}
	if err := r.End(); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.names, k.posts, k.oldest, k.size = names, posts, 0, size
	return nil
}
