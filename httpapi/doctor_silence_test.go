package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/httpapitest"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// listener is the client of a silent stream, in a synctest bubble.
type listener struct {
	*httptest.ResponseRecorder
	hangUp func()
	over   chan time.Time // receives the time at which the handler returned

	mu sync.Mutex // guards the recorder's body
}

// Write implements io.Writer.
func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ResponseRecorder.Write(p)
}

func (l *listener) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Body.String()
}

func listenInBubble(t *testing.T, api http.Handler, seconds string) *listener {
	ctx, cancel := context.WithCancel(t.Context())
	l := &listener{ResponseRecorder: httptest.NewRecorder(), hangUp: cancel, over: make(chan time.Time, 1)}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/silence?seconds="+seconds, nil)
	go func() { // ends with the stream
		api.ServeHTTP(l, r)
		l.over <- time.Now()
	}()
	synctest.Wait()
	require.Contains(t, l.heard(), "event: silence-began\ndata: {")
	return l
}

// inSilence runs a test in a synctest bubble, with an API that has no listener.
func inSilence(t *testing.T, test func(t *testing.T, api http.Handler, hub *sse.Hub)) {
	synctest.Test(t, func(t *testing.T) {
		s := httpapitest.Run(t, signaling.Parts{})
		test(t, s.Handler(), s.Hub())
	})
}

func TestNothingIsSentDuringASilence(t *testing.T) {
	inSilence(t, func(t *testing.T, api http.Handler, _ *sse.Hub) {
		began := time.Now()
		l := listenInBubble(t, api, "180")
		said := l.heard()
		time.Sleep(180*time.Second - time.Nanosecond)
		synctest.Wait()
		require.Equal(t, said, l.heard())
		require.Equal(t, began.Add(180*time.Second), <-l.over)
		require.Contains(t, strings.TrimPrefix(l.heard(), said), `"reason":"complete"`)
	})
}

func TestASilenceEndsAtOnceWhenTheServerStops(t *testing.T) {
	inSilence(t, func(t *testing.T, api http.Handler, hub *sse.Hub) {
		l := listenInBubble(t, api, "180")
		time.Sleep(time.Second)
		stopped := time.Now()
		require.NoError(t, hub.Drain(t.Context()))
		require.Equal(t, stopped, <-l.over)
		require.Contains(t, l.heard(), `"reason":"server-shutdown"`)

		late := httptest.NewRecorder()
		api.ServeHTTP(late, httptest.NewRequest(http.MethodGet, "/silence?seconds=180", nil))
		require.Equal(t, http.StatusServiceUnavailable, late.Code)
		require.Contains(t, late.Body.String(), "/problems/shutting-down")
	})
}

func TestASilenceEndsAtOnceWhenItsClientGoes(t *testing.T) {
	inSilence(t, func(t *testing.T, api http.Handler, _ *sse.Hub) {
		l := listenInBubble(t, api, "180")
		time.Sleep(time.Second)
		went := time.Now()
		l.hangUp()
		require.Equal(t, went, <-l.over)
		require.NotContains(t, l.heard(), "silence-ended")
	})
}
