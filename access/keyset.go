package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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
	maxKeysInKeySet = 100       // all of them may be tried for a token without “kid”
	maxSkippedShown = 20        // keys in one line of the log
)

// keySet is the JWK Set at a URL (RFC 7517, section 5), as it was when it was last
// fetched. If a fetch fails, or brings no key for access tokens, the keys stay as they
// were.
type keySet struct {
	// Set once, by openKeySet.
	url    string
	client *http.Client
	logger *slog.Logger
	pace   pace
	ctx    context.Context // ends all fetching
	end    context.CancelFunc

	keys    atomic.Pointer[[]key] // nil: none was fetched yet
	running sync.WaitGroup        // the goroutine of keepFetching

	fetching sync.Mutex // held during a fetch; guards what follows
	fetched  time.Time  // when the last fetch ended
	skipped  string     // the keys that the last line of the log about skipped keys named
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
	s := &keySet{url: url, client: newKeySetClient(), logger: logger, pace: pace}
	s.ctx, s.end = context.WithCancel(ctx)
	err := s.fetch()
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
	err := s.replaceKeys()
	s.fetched = time.Now()
	if err != nil && s.ctx.Err() == nil {
		s.logger.Error("the keys of access tokens cannot be fetched: trying again later", "url", hostOf(s.url), "error", withoutURL(err))
	}
	return err
}

// replaceKeys replaces the keys with the keys at the URL. If none of them is for access
// tokens, it returns an error and leaves the keys as they are.
func (s *keySet) replaceKeys() error {
	text, err := s.download()
	if err != nil {
		return err
	}
	keys, skipped, err := readKeySet(text)
	if err != nil {
		return err
	}
	s.reportSkipped(skipped)
	if len(keys) == 0 {
		return errors.New("the set has no key for access tokens")
	}
	s.keys.Store(&keys)
	return nil
}

// download returns what the URL answers.
func (s *keySet) download() ([]byte, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.pace.timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status >= 300 && status < 400:
		return nil, fmt.Errorf("the answer is a redirect, which is not followed: its status is %d", status)
	case status != http.StatusOK:
		return nil, fmt.Errorf("the answer has the status %d", status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetSize+1))
	if len(text) > maxKeySetSize {
		return nil, errTooLarge
	}
	return text, err
}

var errTooLarge = fmt.Errorf("the answer is larger than %d KiB", maxKeySetSize>>10)

// reportSkipped logs which keys are not used, and why, unless it logged the same before.
// The caller holds fetching.
func (s *keySet) reportSkipped(skipped []skippedKey) {
	reasons := make([]string, len(skipped))
	level := slog.LevelInfo
	for i, one := range skipped {
		reasons[i] = one.String()
		if _, isUsual := one.reason.(otherPurpose); !isUsual {
			level = slog.LevelWarn
		}
	}
	slices.Sort(reasons) // some issuers give their keys in another order each time
	if more := len(reasons) - maxSkippedShown; more > 0 {
		reasons = append(reasons[:maxSkippedShown], fmt.Sprintf("and %d more", more))
	}
	text := strings.Join(reasons, "; ")
	if text != "" && text != s.skipped {
		s.logger.Log(s.ctx, level, "keys of the JWK Set that are not used for access tokens", "url", hostOf(s.url), "keys", text)
	}
	s.skipped = text
}

// keyOf returns the keys of the set that may have signed a token: those that have the
// token's “kid”, or any “kid” if the token has none. Two keys may have one “kid” (RFC
// 7517, 4.5). It fetches the set again if it does not know the “kid”.
func (s *keySet) keyOf(token *jwt.Token) (any, error) {
	named, hasName := token.Header["kid"]
	id, isText := named.(string)
	if hasName && !isText {
		return nil, errKeyID
	}
	hasID := func(k key) bool { return !hasName || k.id == id }
	if !slices.ContainsFunc(s.known(), hasID) {
		s.fetchSoon()
	}
	if s.known() == nil {
		return nil, errNotFetched
	}
	var found jwt.VerificationKeySet
	for _, k := range s.known() {
		if hasID(k) && k.isFor(token) {
			found.Keys = append(found.Keys, k.material)
		}
	}
	if len(found.Keys) == 0 {
		return nil, errAlgorithm
	}
	return found, nil
}

var (
	errKeyID      = errors.New("the “kid” of the token is not text")
	errNotFetched = errors.New("no key was fetched yet")
)

// known returns the keys that were fetched last, or nil if none was fetched yet.
func (s *keySet) known() []key {
	if keys := s.keys.Load(); keys != nil {
		return *keys
	}
	return nil
}

// newKeySetClient returns a client that follows no redirect and keeps no connection
// open.
func newKeySetClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  proxyFromEnvironment,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxHeaderSize,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// proxyFromEnvironment is [http.ProxyFromEnvironment], whose error repeats the proxy's
// address. That may contain a password.
func proxyFromEnvironment(r *http.Request) (*url.URL, error) {
	proxy, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("HTTPS_PROXY or HTTP_PROXY is not the address of a proxy")
	}
	return proxy, nil
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
