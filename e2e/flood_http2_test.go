package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/stretchr/testify/require"
)

// Over HTTP/2 a request is a few bytes, because it refers to header fields that were
// sent before. Its answer waits until the client opens a window, which this client
// never does.
func TestAttackUnreadAnswersOverHTTP2(t *testing.T) {
	s := besiege(t, "H2C=true")
	s.letStrangersIn()
	outcomes := tally{counts: make(map[string]int)}
	for range 10 {
		w, err := s.dial()
		require.NoError(t, err)
		h := newHungry(w)
		s.running.Go(func() { h.watch(&outcomes) })
		for n := range 1000 {
			if s.attack.Err() == nil {
				h.ask(n)
			}
		}
	}
	s.hold(4 * time.Second)
	counts := outcomes.soFar()
	t.Logf("of 10,000 requests: %v", counts)
	s.expectAtMost(5000, counts["200"], "answers under way: an address has a bound")
	s.lift()
}

// hungry is an HTTP/2 client that opens no window for answers.
type hungry struct {
	wire    *wire
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func newHungry(w *wire) *hungry {
	h := &hungry{wire: w, framer: http2.NewFramer(w, w.Conn)}
	h.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	h.encoder = hpack.NewEncoder(&h.block)
	w.say(http2.ClientPreface)
	_ = h.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	_ = h.framer.WriteSettingsAck()
	return h
}

// ask asks for the answer that repeats the most of its request. The connection carries
// the long field once. After that, an index of one byte stands for it.
func (h *hungry) ask(n int) {
	h.block.Reset()
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":path", "/doctor.json"}, {":authority", "localhost"}} {
		_ = h.encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	for range 54 {
		_ = h.encoder.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("v", 256)})
	}
	_ = h.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*n + 1), BlockFragment: h.block.Bytes(), EndStream: true, EndHeaders: true})
}

// watch counts what becomes of the requests, until the connection ends.
func (h *hungry) watch(outcomes *tally) {
	for {
		frame, err := h.framer.ReadFrame()
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			outcomes.add(f.PseudoValue("status"))
		case *http2.RSTStreamFrame:
			outcomes.add(f.ErrCode.String())
		case *http2.GoAwayFrame:
			outcomes.add(fmt.Sprint("GOAWAY ", f.ErrCode))
		}
		if err != nil {
			if err == io.EOF {
				outcomes.add("closed")
			}
			return
		}
	}
}

// tally counts what happened, by name.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (t *tally) add(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

func (t *tally) soFar() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}
