package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The headers are made once, but must equal what the library would make for each answer.
// An answer that changes its own header must not change the headers of others.
func TestHeadersDependOnEncryptionAndAnswersDoNotShareChanges(t *testing.T) {
	h := newHeaders(noParts, noDevices, 365*24*time.Hour)
	answer := func(isEncrypted bool) http.Header {
		w := httptest.NewRecorder()
		h.set(w, isEncrypted)
		return w.Header()
	}
	plain, encrypted := answer(false), answer(true)
	require.Equal(t, "nosniff", plain.Get("X-Content-Type-Options"))
	require.Equal(t, noParts, plain.Get("Content-Security-Policy"))
	require.Empty(t, plain.Get("Strict-Transport-Security"))
	require.Equal(t, "max-age=31536000", encrypted.Get("Strict-Transport-Security"))

	plain.Set("Cross-Origin-Resource-Policy", "cross-origin")
	plain.Add("Referrer-Policy", "another")
	plain.Del("X-Frame-Options")
	require.Equal(t, "same-origin", answer(false).Get("Cross-Origin-Resource-Policy"))
	require.Equal(t, []string{"no-referrer"}, answer(false)["Referrer-Policy"])
	require.Equal(t, "DENY", answer(false).Get("X-Frame-Options"))
}

// The answer to a posted event is two bytes for a script, so its header must be short.
// Everything that a browser may show keeps all its headers.
func TestTheAnswerToAPostedEventHasOnlyTheHeadersThatMeanSomethingThere(t *testing.T) {
	a := &API{headers: newHeaders(noParts, noDevices, time.Hour), postHeaders: newPostHeaders(time.Hour)}
	of := func(method, path string, isEncrypted bool) http.Header {
		w := httptest.NewRecorder()
		a.headersOf(httptest.NewRequest(method, path, nil)).set(w, isEncrypted)
		return w.Header()
	}
	for _, path := range []string{"/events", "/events/batch"} {
		require.Equal(t, http.Header{"X-Content-Type-Options": {"nosniff"}}, of(http.MethodPost, path, false))
		require.Equal(t, http.Header{"X-Content-Type-Options": {"nosniff"}, "Strict-Transport-Security": {"max-age=3600"}}, of(http.MethodPost, path, true))
	}
	for _, other := range [][2]string{{"GET", "/events"}, {"HEAD", "/events"}, {"GET", "/events/poll"}, {"POST", "/events/stream"}, {"POST", "/rooms/a/events"}, {"GET", "/health"}, {"POST", "/nowhere"}, {"POST", "/events/"}} {
		require.Equal(t, http.Header(a.headers.plain), of(other[0], other[1], false), other)
	}
}
