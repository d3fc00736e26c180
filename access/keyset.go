package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// pace says how often a key set is fetched, and how long a fetch may take.
type pace struct {
	refresh time.Duration // from a fetch that succeeded to the next
	retry   time.Duration // from a fetch that failed to the next
	pause   time.Duration // the shortest time from a fetch to a fetch that a token causes
	timeout time.Duration // of one fetch
}

var usualPace = pace{refresh: 15 * time.Minute, retry: 30 * time.Second, pause: 15 * time.Second, timeout: 5 * time.Second}

const (
	maxKeySetSize   = 256 << 10 // bytes
	maxHeaderSize   = 64 << 10  // bytes
	maxKeysInKeySet = 100       // all of them are tried for a token without “kid”
)

// keySet is the JWK Set at a URL (RFC 7517, section 5), as it was when it was last
// fetched. If a fetch fails, or brings no key for access tokens, the keys stay as they
// were.
type keySet struct {
	// Set once, by openKeySet.
	url    string
	keys   jwkset.Storage // guards itself
	find   jwt.Keyfunc    // finds a token's key among keys
	client *http.Client
	logger *slog.Logger
	pace   pace
	ctx    context.Context // ends all fetching
	end    context.CancelFunc

	running sync.WaitGroup // the goroutine of keepFetching

	fetching sync.Mutex // held during a fetch
	fetched  time.Time  // when the last fetch ended; guarded by fetching
}

// openKeySet fetches a key set, and fetches it again from time to time until ctx ends
// or the set is closed. A fetch that fails is not an error: it is logged and tried
// again.
func openKeySet(ctx context.Context, url string, logger *slog.Logger, pace pace) (*keySet, error) {
	if err := checkURL(url); err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &keySet{url: url, keys: publicKeys{jwkset.NewMemoryStorage()}, client: newKeySetClient(), logger: logger, pace: pace}
	s.ctx, s.end = context.WithCancel(ctx)
	found, err := keyfunc.New(keyfunc.Options{Ctx: s.ctx, Storage: s.keys})
	if err != nil {
		s.end()
		return nil, err
	}
	s.find = found.Keyfunc
	err = s.fetch()
	s.running.Go(func() { s.keepFetching(err) })
	return s, nil
}

// close stops the fetching, and waits until it has stopped. It may be called twice.
func (s *keySet) close() {
	s.end()
	s.running.Wait()
}

// keepFetching fetches the set again and again, sooner after an error. It is called
// with the error of the first fetch.
func (s *keySet) keepFetching(err error) {
	for {
		wait := s.pace.refresh
		if err != nil {
			wait = s.pace.retry
		}
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait):
			err = s.fetch()
		}
	}
}

// fetch replaces the keys with the keys at the URL.
func (s *keySet) fetch() error {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	return s.fetchLocked()
}

// fetchSoon fetches the set unless a fetch ended a moment ago: otherwise a client that
// invents key IDs could make us fetch all the time. A call during a fetch waits for
// that fetch.
func (s *keySet) fetchSoon() {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	if time.Since(s.fetched) >= s.pace.pause {
		_ = s.fetchLocked() // it logs the error, and the token is denied
	}
}

// fetchLocked does what fetch does. The caller holds fetching.
func (s *keySet) fetchLocked() error {
	// Without an interval this fetches once, into the storage, and starts no goroutine.
	_, err := jwkset.NewStorageFromHTTP(s.url, jwkset.HTTPClientStorageOptions{
		Client:      s.client,
		Ctx:         s.ctx,
		HTTPTimeout: s.pace.timeout,
		Storage:     s.keys,
	})
	s.fetched = time.Now()
	if err != nil && s.ctx.Err() == nil {
		s.logger.Error("the keys of access tokens cannot be fetched: trying again later", "url", hostOf(s.url), "error", withoutURL(err))
	}
	return err
}

// keyOf returns the key that a token names by “kid”, or all keys of the set if the
// token has no “kid”. It fetches the set again if the key is unknown.
func (s *keySet) keyOf(token *jwt.Token) (any, error) {
	if !s.knowsKeyOf(token) {
		s.fetchSoon()
	}
	return s.find(token)
}

// knowsKeyOf reports whether the set can stay as it is for this token: it has the
// token's key, or a fetch would not help.
func (s *keySet) knowsKeyOf(token *jwt.Token) bool {
	kid, named := token.Header["kid"]
	if !named {
		keys, err := s.keys.KeyReadAll(s.ctx)
		return err == nil && len(keys) > 0
	}
	name, isText := kid.(string)
	if !isText {
		return true // this is not a key's name, so a fetch would not help
	}
	_, err := s.keys.KeyRead(s.ctx, name)
	return err == nil
}

// publicKeys is a storage that keeps only keys for access tokens.
type publicKeys struct{ jwkset.Storage }

// KeyReplaceAll replaces the keys with the given keys that are for access tokens. If
// no given key is for access tokens, it returns an error and leaves the keys as they
// are.
func (p publicKeys) KeyReplaceAll(ctx context.Context, given []jwkset.JWK) error {
	if len(given) > maxKeysInKeySet {
		return fmt.Errorf("the set has %d keys, but may have at most %d", len(given), maxKeysInKeySet)
	}
	var kept []jwkset.JWK
	for _, key := range given {
		if isForTokens(key) {
			kept = append(kept, key)
		}
	}
	if len(kept) == 0 {
		return errors.New("the set has no key for RS256, ES256 or EdDSA")
	}
	return p.Storage.KeyReplaceAll(ctx, kept)
}

// isForTokens reports whether a key is a public key that checks signatures by one of
// our algorithms. Secrets and private keys in a set are refused: a key that was
// published is no longer secret.
func isForTokens(key jwkset.JWK) bool {
	method, err := methodOf(key.Key())
	said := key.Marshal()
	return err == nil &&
		(said.ALG == "" || said.ALG.String() == method.Alg()) &&
		(said.USE == "" || said.USE == jwkset.UseSig)
}

// newKeySetClient returns a client that follows no redirect and keeps no connection
// open. It reads no more bytes than a key set may have.
func newKeySetClient() *http.Client {
	return &http.Client{
		Transport: shortAnswers{&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxHeaderSize,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// shortAnswers cuts off bodies that are longer than a key set may be.
type shortAnswers struct{ http.RoundTripper }

func (s shortAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxKeySetSize)
	return response, nil
}

// hostOf returns the part of a URL that may appear in the log. The path and the query
// may contain a secret.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// withoutURL removes the URL from an error of package http.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
