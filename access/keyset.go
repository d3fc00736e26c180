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

// pace is how often a key set is fetched, and for how long it is waited for.
type pace struct {
	refresh time.Duration // after keys have been fetched
	retry   time.Duration // after they could not be
	pause   time.Duration // between a fetch and the next that somebody's token asks for
	timeout time.Duration // for one fetch
}

var usualPace = pace{refresh: 15 * time.Minute, retry: 30 * time.Second, pause: 15 * time.Second, timeout: 5 * time.Second}

const (
	maxKeySetSize   = 256 << 10 // bytes
	maxHeaderSize   = 64 << 10  // bytes
	maxKeysInKeySet = 100       // a token without “kid” is tried by all of them
)

// keySet is the JWK Set at a URL (RFC 7517, section 5), as it was when it was
// last fetched. One that cannot be fetched, or has no key for access tokens,
// leaves the keys as they were.
type keySet struct {
	url    string
	keys   jwkset.Storage
	find   jwt.Keyfunc
	client *http.Client
	logger *slog.Logger
	pace   pace

	ctx     context.Context // ends fetching
	end     context.CancelFunc
	running sync.WaitGroup

	fetching sync.Mutex // is held during a fetch
	fetched  time.Time  // when the last one ended
}

// openKeySet fetches a key set, and keeps fetching it until the context ends or
// the set is closed.
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

// close ends the fetching, and waits for its end.
func (s *keySet) close() {
	s.end()
	s.running.Wait()
}

// keepFetching fetches the set again and again, sooner after an error.
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

// fetch replaces the keys by those at the URL.
func (s *keySet) fetch() error {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	return s.fetchLocked()
}

// fetchSoon fetches the set unless that was done a moment ago, so that nobody
// can have it fetched all the time by making key IDs up. Who comes during a
// fetch waits for that one.
func (s *keySet) fetchSoon() {
	s.fetching.Lock()
	defer s.fetching.Unlock()
	if time.Since(s.fetched) >= s.pace.pause {
		_ = s.fetchLocked() // has been logged; the token is denied
	}
}

func (s *keySet) fetchLocked() error {
	// Without an interval it fetches once, into the storage, and runs on nowhere.
	_, err := jwkset.NewStorageFromHTTP(s.url, jwkset.HTTPClientStorageOptions{
		Client:      s.client,
		Ctx:         s.ctx,
		HTTPTimeout: s.pace.timeout,
		Storage:     s.keys,
	})
	s.fetched = time.Now()
	if err != nil && s.ctx.Err() == nil {
		s.logger.Error("The keys of access tokens cannot be fetched.", "url", hostOf(s.url), "error", withoutURL(err))
	}
	return err
}

// keyOf finds a token's key by its “kid”. Without one it is any of the set.
func (s *keySet) keyOf(token *jwt.Token) (any, error) {
	if !s.knowsKeyOf(token) {
		s.fetchSoon()
	}
	return s.find(token)
}

// knowsKeyOf tells whether fetching the set again would not help.
func (s *keySet) knowsKeyOf(token *jwt.Token) bool {
	kid, named := token.Header["kid"]
	if !named {
		keys, err := s.keys.KeyReadAll(s.ctx)
		return err == nil && len(keys) > 0
	}
	name, isText := kid.(string)
	if !isText {
		return true // that it is no name
	}
	_, err := s.keys.KeyRead(s.ctx, name)
	return err == nil
}

// publicKeys keeps, of the keys it is given, those that are for access tokens.
type publicKeys struct{ jwkset.Storage }

// KeyReplaceAll leaves the keys as they are where none of the given can be kept.
func (p publicKeys) KeyReplaceAll(ctx context.Context, given []jwkset.JWK) error {
	if len(given) > maxKeysInKeySet {
		return fmt.Errorf("the set has %d keys, and may have %d", len(given), maxKeysInKeySet)
	}
	var kept []jwkset.JWK
	for _, key := range given {
		if isForTokens(key) {
			kept = append(kept, key)
		}
	}
	if len(kept) == 0 {
		return errors.New("the set has no key of RS256, ES256 or EdDSA")
	}
	return p.Storage.KeyReplaceAll(ctx, kept)
}

// isForTokens tells whether a key is a public one that signatures are checked
// by, of an algorithm of ours. A secret in a set is none, and neither is a
// private key: whoever publishes those has lost them.
func isForTokens(key jwkset.JWK) bool {
	method, err := methodOf(key.Key())
	said := key.Marshal()
	return err == nil &&
		(said.ALG == "" || said.ALG.String() == method.Alg()) &&
		(said.USE == "" || said.USE == jwkset.UseSig)
}

// newKeySetClient makes a client that follows no redirection, keeps no
// connection, and reads no more than a key set has.
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

// shortAnswers breaks off bodies that are longer than a key set may be.
type shortAnswers struct{ http.RoundTripper }

func (s shortAnswers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxKeySetSize)
	return response, nil
}

// hostOf is the part of a URL that is told in the log: a path or a query may be
// what lets one in.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// withoutURL is an error of package http without the URL in it.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
