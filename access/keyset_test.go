package access

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// eager fetches whenever a token needs it, and never otherwise.
var eager = pace{refresh: time.Hour, retry: time.Hour, timeout: 10 * time.Second}

// keyServer serves keys, and counts the requests. A test may change its answer.
type keyServer struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32
}

func newKeyServer(t testing.TB, first http.HandlerFunc) *keyServer {
	s := new(keyServer)
	s.answer.Store(&first)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) now(answer http.HandlerFunc) { s.answer.Store(&answer) }

// text answers with a text, and keys with a JWK Set.
func text(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func keys(jwks ...string) http.HandlerFunc {
	return text(http.StatusOK, `{"keys":[`+strings.Join(jwks, ",")+`]}`)
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// These functions return keys in the form of a JWK Set, with further members.

func edJWK(key []byte, more string) string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q%s}`, base64url(key[32:]), more)
}

func rsaJWK(more string) string {
	return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"%s}`, base64url(rsaKey().N.Bytes()), more)
}

func ecJWK(t testing.TB, more string) string {
	point, err := ecKey().PublicKey.Bytes()
	require.NoError(t, err)
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q%s}`, base64url(point[1:33]), base64url(point[33:]), more)
}

func kid(name string) string { return fmt.Sprintf(`,"kid":%q`, name) }

// signedAs returns a token that names its key.
func signedAs(t testing.TB, name string, key []byte) string {
	t.Helper()
	return signed(t, jwt.SigningMethodEdDSA, ed25519.PrivateKey(key), `{"alg":"EdDSA"`+kid(name)+`}`, saying(""))
}

// journal holds what was logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func keySetVerifier(t testing.TB, url string, pace pace) (*Verifier, *journal) {
	t.Helper()
	logged := new(journal)
	v, err := newVerifier(t.Context(), Options{Keys: Keys{JWKSURL: url}, Logger: slog.New(slog.NewTextHandler(logged, nil))}, pace)
	require.NoError(t, err)
	t.Cleanup(v.Close)
	return v, logged
}

func requireGranted(t testing.TB, v *Verifier, token string) {
	t.Helper()
	_, err := v.Verify(token, room, user)
	require.NoError(t, err)
}

func requireInvalid(t testing.TB, v *Verifier, token string) {
	t.Helper()
	_, err := v.Verify(token, room, user)
	requireDenied(t, Invalid, err)
}

func requireNoKeys(t testing.TB, v *Verifier, token string) {
	t.Helper()
	_, err := v.Verify(token, room, user)
	requireDenied(t, NoKeys, err)
}

// requireGrantedSoon waits until a token is accepted.
func requireGrantedSoon(t testing.TB, v *Verifier, token string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := v.Verify(token, room, user)
		return err == nil
	}, 10*time.Second, 5*time.Millisecond)
}

func TestAKeySetHasKeysOfAllKinds(t *testing.T) {
	s := newKeyServer(t, keys(rsaJWK(kid("r")+`,"alg":"RS256","use":"sig"`), ecJWK(t, kid("e")), edJWK(edKey, kid("o"))))
	v, err := NewVerifier(t.Context(), Options{Keys: Keys{JWKSURL: s.URL}})
	require.NoError(t, err)
	defer v.Close()
	for name, key := range map[string]struct {
		method jwt.SigningMethod
		key    any
	}{"r": {jwt.SigningMethodRS256, rsaKey()}, "e": {jwt.SigningMethodES256, ecKey()}, "o": {jwt.SigningMethodEdDSA, edKey}} {
		alg := key.method.Alg()
		requireGranted(t, v, signed(t, key.method, key.key, `{"alg":"`+alg+`"`+kid(name)+`}`, saying("")))
		requireGranted(t, v, signed(t, key.method, key.key, `{"alg":"`+alg+`"}`, saying("")))
		for _, other := range []string{"r", "e", "o", "", "O", "../o", "o/../o", "o\x00", "http://127.0.0.1:1/o", "x' OR 'o"} {
			if other == name {
				continue
			}
			// The right key under the name of another key, or under an unknown name.
			requireInvalid(t, v, signed(t, key.method, key.key, `{"alg":"`+alg+`"`+`,"kid":"`+strings.ReplaceAll(other, "\x00", `\u0000`)+`"}`, saying("")))
		}
		// A name that is not text.
		requireInvalid(t, v, signed(t, key.method, key.key, `{"alg":"`+alg+`","kid":["`+name+`"]}`, saying("")))
		requireInvalid(t, v, signed(t, key.method, key.key, `{"alg":"`+alg+`","kid":null}`, saying("")))
	}
	require.EqualValues(t, 1, s.asked.Load(), "invented names cause no fetch so soon after a fetch")
}

func TestAKeySetTakesNoSecretsAndNoOtherAlgorithms(t *testing.T) {
	oct := fmt.Sprintf(`{"kty":"oct","k":%q,"kid":"s"}`, base64url(secret))
	private := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q,"d":%q,"kid":"p"}`, base64url(otherKey[32:]), base64url(otherKey[:32]))
	s := newKeyServer(t, keys(
		oct, private,
		rsaJWK(kid("ps")+`,"alg":"PS256"`), rsaJWK(kid("enc")+`,"use":"enc"`),
		`{"kty":"unheard of","kid":"x"}`, edJWK(edKey, kid("good")),
	))
	v, logged := keySetVerifier(t, s.URL, eager)
	require.NotContains(t, logged.String(), "ERROR")
	requireGranted(t, v, signedAs(t, "good", edKey))
	for _, token := range []string{
		// A published secret is not a secret.
		signed(t, jwt.SigningMethodHS256, secret, `{"alg":"HS256","kid":"s"}`, saying("")),
		signed(t, jwt.SigningMethodHS256, secret, `{"alg":"HS256"}`, saying("")),
		// Algorithm confusion: the public key as the secret.
		signed(t, jwt.SigningMethodHS256, []byte(edKey[32:]), `{"alg":"HS256","kid":"good"}`, saying("")),
		// Everybody can sign with a published private key.
		signedAs(t, "p", otherKey),
		// Keys for another algorithm or purpose, with and without a name.
		signed(t, jwt.SigningMethodPS384, rsaKey(), `{"alg":"PS384","kid":"ps"}`, saying("")),
		signed(t, jwt.SigningMethodPS256, rsaKey(), `{"alg":"PS256","kid":"enc"}`, saying("")),
		signed(t, jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"ps"}`, saying("")),
		signed(t, jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"enc"}`, saying("")),
		signed(t, jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256"}`, saying("")),
		// No signature at all.
		encoded(`{"alg":"none","kid":"good"}`) + "." + encoded(saying("")) + ".",
		encoded(`{"alg":"none"}`) + "." + encoded(saying("")) + ".",
	} {
		requireInvalid(t, v, token)
	}
}

func TestATokenCannotMakeTheVerifierFetchFromElsewhere(t *testing.T) {
	elsewhere := newKeyServer(t, keys(edJWK(otherKey, kid("k"))))
	s := newKeyServer(t, keys(edJWK(edKey, kid("k"))))
	v, _ := keySetVerifier(t, s.URL, eager)
	for _, header := range []string{
		// The verifier fetches only from its own URL, never from a token's.
		`{"alg":"EdDSA","kid":"k","jku":"` + elsewhere.URL + `"}`, `{"alg":"EdDSA","kid":"k","x5u":"` + elsewhere.URL + `"}`,
		`{"alg":"EdDSA","kid":"` + elsewhere.URL + `"}`, `{"alg":"EdDSA","jku":"` + elsewhere.URL + `"}`,
		`{"alg":"EdDSA","kid":"k","jwk":` + edJWK(otherKey, kid("k")) + `}`,
	} {
		requireInvalid(t, v, signed(t, jwt.SigningMethodEdDSA, otherKey, header, saying("")))
	}
	require.Zero(t, elsewhere.asked.Load())
}

func TestKeysAreRotated(t *testing.T) {
	s := newKeyServer(t, keys(edJWK(edKey, kid("old"))))
	v, logged := keySetVerifier(t, s.URL, eager)
	before, after := signedAs(t, "old", edKey), signedAs(t, "new", otherKey)
	requireGranted(t, v, before)
	requireInvalid(t, v, after)

	s.now(keys(edJWK(edKey, kid("old")), edJWK(otherKey, kid("new"))))
	requireGranted(t, v, after) // an unknown name causes a fetch
	requireGranted(t, v, before)

	s.now(keys(edJWK(otherKey, kid("new"))))
	requireGranted(t, v, before) // nothing has caused a fetch
	requireInvalid(t, v, signedAs(t, "unknown", edKey))
	requireInvalid(t, v, before) // the key was withdrawn
	requireGranted(t, v, after)
	require.Empty(t, logged.String())
}

func TestKeysAreFetchedFromTimeToTime(t *testing.T) {
	s := newKeyServer(t, keys(edJWK(edKey, "")))
	v, _ := keySetVerifier(t, s.URL, pace{refresh: time.Millisecond, retry: time.Hour, pause: time.Hour, timeout: 10 * time.Second})
	nameless := signed(t, jwt.SigningMethodEdDSA, otherKey, `{"alg":"EdDSA"}`, saying(""))
	requireInvalid(t, v, nameless)
	s.now(keys(edJWK(otherKey, "")))
	requireGrantedSoon(t, v, nameless)
}

// Inventing key IDs costs an attacker nothing, so it must not cause requests.
func TestInventedKeyIDsCauseNoRequests(t *testing.T) {
	s := newKeyServer(t, keys(edJWK(edKey, kid("k"))))
	limited := eager
	limited.pause = time.Hour
	v, _ := keySetVerifier(t, s.URL, limited)
	var all sync.WaitGroup
	for i := range 50 {
		token := signedAs(t, fmt.Sprint("made up ", i), otherKey)
		all.Go(func() {
			if _, err := v.Verify(token, room, user); err == nil {
				t.Error("granted")
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, s.asked.Load())
	requireGranted(t, v, signedAs(t, "k", edKey))
}

// brokenAnswers returns answers that a broken endpoint gives. They must not replace
// the keys.
func brokenAnswers(t testing.TB) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"an error":        text(http.StatusServiceUnavailable, "down"),
		"not found":       text(http.StatusNotFound, `{"keys":[`+edJWK(otherKey, kid("new"))+`]}`),
		"a page":          text(http.StatusOK, "<!doctype html><title>Log in</title>"),
		"nothing":         text(http.StatusOK, ""),
		"half of it":      text(http.StatusOK, `{"keys":[`+edJWK(otherKey, kid("new"))),
		"no keys":         text(http.StatusOK, `{"keys":[]}`),
		"an error, as OK": text(http.StatusOK, `{"error":"down"}`),
		"null":            text(http.StatusOK, `null`),
		"other types":     text(http.StatusOK, `{"keys":"new"}`),
		"no good keys":    keys(fmt.Sprintf(`{"kty":"oct","k":%q,"kid":"new"}`, base64url(secret))),
		"short keys":      keys(`{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"new"}`),
		"weak keys":       keys(`{"kty":"RSA","n":"` + base64url(bytes.Repeat([]byte{0xff}, 128)) + `","e":"AQAB","kid":"new"}`),
		"a list":          text(http.StatusOK, `[`+edJWK(otherKey, kid("new"))+`]`),
		"a key alone":     text(http.StatusOK, edJWK(otherKey, kid("new"))),
		"another page":    text(http.StatusOK, `{"issuer":"https://example.com","jwks_uri":"https://example.com/keys"}`),
		"null as keys":    text(http.StatusOK, `{"keys":null}`),
		"certificates":    text(http.StatusOK, `{"new":"-----BEGIN CERTIFICATE-----\nMIIB"}`),
		"a huge body":     text(http.StatusOK, `{"x":"`+strings.Repeat("x", maxKeySetSize)+`","keys":[`+edJWK(otherKey, kid("new"))+`]}`),
		"an endless body": func(w http.ResponseWriter, _ *http.Request) {
			for _, err := w.Write([]byte(`{"keys":[`)); err == nil; {
				_, err = w.Write([]byte(edJWK(otherKey, kid("new")) + ","))
			}
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"broken off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a huge header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxHeaderSize))
			_, _ = w.Write([]byte(`{"keys":[` + edJWK(otherKey, kid("new")) + `]}`))
		},
	}
}

func TestABrokenEndpointIsLoggedAndAskedAgain(t *testing.T) {
	for name, answer := range brokenAnswers(t) {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t, answer)
			v, logged := keySetVerifier(t, s.URL+"/hunter2", eager)
			require.Contains(t, logged.String(), "cannot be fetched")
			require.NotContains(t, logged.String(), "hunter2")
			requireNoKeys(t, v, signedAs(t, "new", otherKey))
			requireNoKeys(t, v, signed(t, jwt.SigningMethodEdDSA, otherKey, `{"alg":"EdDSA"}`, saying("")))
			require.EqualValues(t, 3, s.asked.Load())
			s.now(keys(edJWK(otherKey, kid("new"))))
			requireGranted(t, v, signedAs(t, "new", otherKey))
		})
		t.Run(name+", later", func(t *testing.T) {
			s := newKeyServer(t, keys(edJWK(edKey, kid("old"))))
			v, logged := keySetVerifier(t, s.URL, eager)
			s.now(answer)
			requireInvalid(t, v, signedAs(t, "new", otherKey))
			require.Contains(t, logged.String(), "cannot be fetched")
			requireGranted(t, v, signedAs(t, "old", edKey)) // the old keys are still known
		})
	}
}

func TestTheLogSaysWhatIsWrongWithAnAnswer(t *testing.T) {
	answers := brokenAnswers(t)
	for name, wanted := range map[string]string{
		"elsewhere":       "the answer is a redirect, which is not followed: its status is 302",
		"not found":       "the answer has the status 404",
		"a huge body":     "the answer is larger than 256 KiB",
		"an endless body": "the answer is larger than 256 KiB",
	} {
		_, logged := keySetVerifier(t, newKeyServer(t, answers[name]).URL, eager)
		require.Contains(t, logged.String(), wanted, name)
	}
}

func TestAFetchThatFailsIsTriedAgain(t *testing.T) {
	s := newKeyServer(t, text(http.StatusServiceUnavailable, "starting"))
	v, logged := keySetVerifier(t, s.URL, pace{refresh: time.Hour, retry: time.Millisecond, pause: time.Hour, timeout: 10 * time.Second})
	token := signedAs(t, "k", edKey)
	requireNoKeys(t, v, token)
	s.now(keys(edJWK(edKey, kid("k"))))
	requireGrantedSoon(t, v, token)
	require.Contains(t, logged.String(), "503")
}

func TestAnAbsentServerIsNotAnError(t *testing.T) {
	s := newKeyServer(t, keys())
	s.Close()
	v, logged := keySetVerifier(t, s.URL, eager)
	requireNoKeys(t, v, signedAs(t, "k", edKey))
	require.Contains(t, logged.String(), "refused")
}

// hanging returns an answer that waits until the client gives up, and a channel that
// receives each request.
func hanging() (answer http.HandlerFunc, asked chan struct{}) {
	asked = make(chan struct{}, 100)
	return func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}, asked
}

func TestTheVerifierDoesNotWaitForASlowServerForever(t *testing.T) {
	slow, _ := hanging()
	s := newKeyServer(t, slow)
	impatient := eager
	impatient.timeout = 20 * time.Millisecond
	v, logged := keySetVerifier(t, s.URL, impatient)
	require.Contains(t, logged.String(), "deadline")
	requireNoKeys(t, v, signedAs(t, "k", edKey))
}

func TestTokensOfKnownKeysDoNotWaitForASlowServer(t *testing.T) {
	s := newKeyServer(t, keys(edJWK(edKey, kid("k"))))
	v, _ := keySetVerifier(t, s.URL, eager)
	slow, asked := hanging()
	s.now(slow)
	done := make(chan error)
	unknown := signedAs(t, "unknown", otherKey)
	go func() {
		_, err := v.Verify(unknown, room, user)
		done <- err
	}()
	<-asked
	requireGranted(t, v, signedAs(t, "k", edKey))
	v.Close() // this ends the waiting Verify, too
	requireDenied(t, Invalid, <-done)
}

func TestCloseWaitsForTheEndOfAFetch(t *testing.T) {
	s := newKeyServer(t, keys(edJWK(edKey, kid("k"))))
	v, logged := keySetVerifier(t, s.URL, pace{refresh: 50 * time.Millisecond, retry: time.Hour, timeout: time.Hour})
	slow, asked := hanging()
	s.now(slow)
	<-asked
	v.Close()
	v.Close()
	require.Empty(t, logged.String(), "the end of a fetch by Close is not an error")
	requireGranted(t, v, signedAs(t, "k", edKey))
	requireInvalid(t, v, signedAs(t, "unknown", otherKey))
}

func TestTheContextEndsTheFetching(t *testing.T) {
	s := newKeyServer(t, keys(edJWK(edKey, kid("k"))))
	ctx, cancel := context.WithCancel(t.Context())
	v, err := newVerifier(ctx, Options{Keys: Keys{JWKSURL: s.URL}}, eager)
	require.NoError(t, err)
	cancel()
	v.Close() // it returns because the fetching has ended
	asked := s.asked.Load()
	requireInvalid(t, v, signedAs(t, "unknown", otherKey))
	require.Equal(t, asked, s.asked.Load())
}
