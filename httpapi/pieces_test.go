package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slowWriter takes a while for each write.
type slowWriter struct {
	header    http.Header
	text      bytes.Buffer
	writes    []int // the size of each write
	deadlines []time.Duration
	began     time.Time
	takes     time.Duration
	fails     bool
}

func (w *slowWriter) Header() http.Header { return w.header }
func (w *slowWriter) WriteHeader(int)     {}

func (w *slowWriter) Write(part []byte) (int, error) {
	time.Sleep(w.takes)
	w.writes = append(w.writes, len(part))
	if w.fails {
		return 0, errors.New("too slow")
	}
	return w.text.Write(part)
}

func (w *slowWriter) SetWriteDeadline(at time.Time) error {
	w.deadlines = append(w.deadlines, at.Sub(w.began))
	return nil
}

func newSlowWriter(takes time.Duration) *slowWriter {
	return &slowWriter{header: make(http.Header), began: time.Now(), takes: takes}
}

func TestEachPieceAndTheWholeAnswerHaveATimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSlowWriter(7 * time.Second)
		answer := newPieces(w)
		answer.raw("[")
		const items = 200
		for n := range items {
			answer.item(n == 0, strings.Repeat("<", pieceSize/8))
		}
		answer.raw("]")
		answer.finish()
		var read []string
		require.NoError(t, json.Unmarshal(w.text.Bytes(), &read))
		require.Len(t, read, items)
		require.Len(t, w.text.Bytes(), items*(pieceSize/8+len(`"",`))+1, "nothing is escaped")
		for _, size := range w.writes {
			require.Less(t, size, 2*pieceSize)
		}
		require.Equal(t, []time.Duration{8 * time.Second, 15 * time.Second, 22 * time.Second}, w.deadlines[:3])
		require.Equal(t, piecesTimeout, w.deadlines[len(w.deadlines)-1])
	})
}

func TestAShortAnswerKeepsTheServersTimeout(t *testing.T) {
	w := newSlowWriter(0)
	answer := newPieces(w)
	answer.raw("{")
	answer.members(probe{"ok"})
	answer.raw("}")
	answer.finish()
	require.JSONEq(t, `{"status":"ok"}`, w.text.String())
	require.Empty(t, w.deadlines)
	require.Len(t, w.writes, 1)
}

func TestNoMorePiecesAreMadeForAClientThatIsGone(t *testing.T) {
	w := newSlowWriter(0)
	w.fails = true
	answer := newPieces(w)
	for n := 0; !answer.broken; n++ {
		require.Less(t, n, 100)
		answer.item(n == 0, strings.Repeat("x", pieceSize/8))
	}
	require.Len(t, w.writes, 1)
}
