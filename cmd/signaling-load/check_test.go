package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever order events come in, and however often, the flow knows which did not come.
func TestAFlowCountsWhatItMisses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := rapid.IntRange(0, 30).Draw(t, "last")
		arrivals := []int{}
		if last > 0 {
			arrivals = rapid.SliceOfN(rapid.IntRange(1, last), 0, 60).Draw(t, "arrivals")
		}
		var f flow
		reordered, highest := 0, 0
		for i, n := range arrivals {
			if n < highest && !slices.Contains(arrivals[:i], n) {
				reordered++
			}
			highest = max(highest, n)
			require.Equal(t, !slices.Contains(arrivals[:i], n), f.arrived(n))
		}
		distinct := slices.Compact(slices.Sorted(slices.Values(arrivals)))
		require.Equal(t, last-len(distinct), f.lost(last, nil))
		require.Equal(t, len(arrivals)-len(distinct), f.doubled)
		require.Equal(t, reordered, f.reordered)

		refused := make(map[int]struct{})
		for n := 1; n <= last; n += 2 {
			refused[n] = struct{}{}
		}
		lost := 0
		for n := 2; n <= last; n += 2 {
			if !slices.Contains(distinct, n) {
				lost++
			}
		}
		require.Equal(t, lost, f.lost(last, refused))
	})
}

func TestADraftIsFilledForEachEvent(t *testing.T) {
	kinds := []kind{offer, candidate, candidate, answer}
	all := [][]byte{}
	for _, k := range kinds {
		require.Len(t, k.event(), map[bool]int{true: candidateBytes, false: descriptionBytes}[k == candidate], k)
		all = append(all, k.event())
	}
	d := newDraft(bytes.Join(all, []byte("\n")), "")
	require.Len(t, d.slots, len(kinds))
	for i := range kinds {
		d.fill(i, strings.Repeat(string(rune('a'+i)), 22), stamp{sender: i, number: 10 + i, sent: time.Hour.Nanoseconds() + int64(i)})
	}
	for i, event := range bytes.Split(d.request, []byte("\n")) {
		s, found := stampOf(event)
		require.True(t, found)
		require.Equal(t, stamp{i, 10 + i, time.Hour.Nanoseconds() + int64(i)}, s)
		require.Contains(t, string(event), `"target":"`+strings.Repeat(string(rune('a'+i)), 22)+`"`)
	}
}

// The reader of answers sees what net/http's sees.
func TestAnswersAreReadAsByNetHTTP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "body")
		written := http.Response{
			StatusCode: rapid.SampledFrom([]int{200, 202, 404, 429, 503}).Draw(t, "status"), ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Retry-After": {"7"}, "X-Content-Type": {"a: b"}}, Body: io.NopCloser(bytes.NewReader(body)),
			ContentLength: int64(len(body)),
		}
		if rapid.Bool().Draw(t, "chunked") {
			written.ContentLength, written.TransferEncoding = -1, []string{"chunked"}
		}
		var wire bytes.Buffer
		require.NoError(t, written.Write(&wire))
		wire.WriteString("next")
		p := plain{from: bufio.NewReader(&wire)}
		r, err := p.answer()
		require.NoError(t, err)
		require.Equal(t, written.StatusCode, r.status)
		require.Equal(t, 7*time.Second, r.retryAfter)
		require.True(t, bytes.Equal(body, r.body))
		rest, err := io.ReadAll(p.from)
		require.NoError(t, err)
		require.Equal(t, "next", string(rest))
	})
}

func TestFramesAreReadOneByOne(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	stream := "id: a.1\nevent: connected\ndata: {}\nretry: 2000\n\n:\n\nid: a.2\nevent: room-joined\ndata: " + long + "\n\nevent: offer\ndata: {\"a\": 1}\n\n"
	f := newFrames(strings.NewReader(stream))
	for _, want := range [][2]string{{"connected", "{}"}, {"heartbeat", ""}, {"room-joined", long}, {"offer", `{"a": 1}`}} {
		kind, data, err := f.next()
		require.NoError(t, err)
		require.Equal(t, want, [2]string{string(kind), string(data)})
	}
	_, _, err := f.next()
	require.ErrorIs(t, err, io.EOF)
}

// What a server sends must not crash the generator.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		p := plain{from: bufio.NewReader(bytes.NewReader(wire))}
		_, _ = p.answer()
		frames := newFrames(bytes.NewReader(wire))
		for err := error(nil); err == nil; {
			_, _, err = frames.next()
		}
		_, _ = stampOf(wire)
	})
}

func TestTheGeneratorSaysWhenItWasTheBottleneck(t *testing.T) {
	l := &load{}
	for name, c := range map[string]struct {
		r    result
		says string
	}{
		"the generator": {result{Sending: &sending{OwnCores: ownCores()}}, "The generator was the bottleneck"},
		"its rate": {
			result{Rate: 1000, Sending: &sending{OwnCores: ownCores(), PerSecond: 500}}, "The generator has no processor time left",
		},
		"the server": {
			result{Rate: 1000, HasProcess: true, Sending: &sending{Cores: 0.97, PerSecond: 500}}, "The server was busy",
		},
		"something else": {
			result{HasProcess: true, Sending: &sending{Cores: 0.3, OwnCores: 0.3, PerSecond: 500}}, "Neither the server",
		},
		"nothing": {result{Rate: 1000, Sending: &sending{PerSecond: 990}}, ""},
	} {
		notes := strings.Join(c.r.notes(l), "\n")
		if c.says == "" {
			require.Empty(t, notes, name)
		} else {
			require.Contains(t, notes, c.says, name)
		}
	}
}
