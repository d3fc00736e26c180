package sse

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// part takes as many bytes of a write as a test says.
type part struct {
	cuts    []byte // what each write takes, in 256ths of it
	arrived bytes.Buffer
}

func (p *part) Write(text []byte) (int, error) {
	taken := len(text)
	if len(p.cuts) > 0 {
		taken = taken * int(p.cuts[0]) / 256
		p.cuts = p.cuts[1:]
	}
	return p.arrived.Write(text[:taken])
}

func (p *part) Close() {}

// sizesOf makes sizes of events of some bytes: most are small, and some take many windows.
func sizesOf(seed []byte) (sizes []int) {
	for _, b := range seed[:min(len(seed), 8)] {
		size := int(b)
		if b > 200 {
			size = (int(b) - 200) * maxPiece / 13
		}
		sizes = append(sizes, size)
	}
	return sizes
}

// inPieces is data in many pieces.
type inPieces []byte

func (p inPieces) Len() int  { return len(p) }
func (p inPieces) Held() int { return 1 }
func (p inPieces) WriteTo(w io.Writer) (written int64, err error) {
	for left := []byte(p); len(left) > 0; left = left[min(len(left), 777):] {
		n, err := w.Write(left[:min(len(left), 777)])
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// A stream has the same bytes, whatever its connection takes at once.
func FuzzAStreamHasTheSameBytesWhateverTheConnectionTakes(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{0, 128, 255}, true)
	f.Add([]byte{255, 0, 201, 255}, []byte{255, 1, 0, 0, 200, 3, 3, 3}, true)
	f.Add([]byte{213, 213, 214}, bytes.Repeat([]byte{250}, 40), false)
	f.Fuzz(func(t *testing.T, seed, cuts []byte, isChunked bool) {
		h := NewHub(Options{Outbox: OutboxLimits{UnsentEvents: 1000, UnsentBytes: 100 << 20, RetainedEvents: 1000, RetainedBytes: 100 << 20}})
		s := newSocket(h, "")
		st := newStream(s, Token{}, true)
		l := &link{stream: st, isChunked: isChunked}
		st.link = l
		before, _, err := s.attach(st, 0, Client{})
		require.NoError(t, err)
		require.Nil(t, before)
		require.NoError(t, h.register(s, netip.Prefix{}, unbounded))
		var want bytes.Buffer
		expect := func(e *event, sequence uint64) {
			f := frame{EventID{st.token, sequence}, e}
			want.Write(f.appendHead(nil))
			require.NoError(t, e.writeTo(&want))
			want.Write(f.appendTail(nil))
		}
		for _, e := range st.opening {
			expect(e, 0)
		}
		for n, size := range sizesOf(seed) {
			data := append(append([]byte(`{"`), bytes.Repeat([]byte{'a' + byte(n)}, size)...), `":1}`...)
			m := Message{Kind: "signal", Data: Line(data)}
			if n%2 == 1 {
				m.Data = inPieces(data)
			}
			e := h.newEvent(m)
			s.mu.Lock()
			require.NoError(t, s.putLocked(e))
			s.mu.Unlock()
			expect(e, uint64(n+1))
		}
		goodbye := newDisconnected("test", "", 0)
		last := uint64(len(sizesOf(seed)))
		expect(goodbye, last)

		connection := &part{cuts: cuts[:min(len(cuts), 200)]}
		l.park(connection, http.Header{})
		s.mu.Lock()
		st.end(false, goodbye, time.Minute)
		s.mu.Unlock()
		h.Flush()
		for steps := 0; !l.isClosed; steps++ {
			require.Less(t, steps, 1000+len(cuts), "the stream does not end")
			require.LessOrEqual(t, len(l.frames), maxPiece)
			l.Writable()
			h.Flush()
		}
		require.Equal(t, last, s.outbox.written)
		require.Empty(t, l.frames)

		_, body, found := bytes.Cut(connection.arrived.Bytes(), []byte("\r\n\r\n"))
		require.True(t, found)
		if isChunked {
			end := []byte(responseEnd)
			require.True(t, bytes.HasSuffix(body, end))
			body, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
			require.NoError(t, err)
		}
		require.True(t, bytes.Equal(want.Bytes(), body))
	})
}
