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
