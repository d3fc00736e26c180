package ssetest_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
)

func TestEventsAreReadAsABrowserReadsThem(t *testing.T) {
	for text, want := range map[string][]ssetest.Event{
		"": nil,
		"id: t.0\nevent: connected\nretry: 2000\ndata: {}\n\nid: t.1\nevent: pong\ndata: {\"a\": 1}\n\n": {
			{ID: "t.0", Type: "connected", Retry: "2000", Data: "{}"}, {ID: "t.1", Type: "pong", Data: `{"a": 1}`}},
		"data: 1\r\revent: x\rdata: 2\r\n\r\ndata: 3\n\r": {{Data: "1"}, {Type: "x", Data: "2"}, {Data: "3"}},
		"\ufeffdata:1\n\ndata:  2\n\n":                    {{Data: "1"}, {Data: " 2"}},
		"data: a:b\n\ndata:\n\n":                          {{Data: "a:b"}, {}},
	} {
		for name, body := range map[string]io.Reader{"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := ssetest.ReadAll(body)
			require.NoError(t, err, "%q, %s", text, name)
			require.Equal(t, want, got, "%q, %s", text, name)
		}
	}
}

func TestWhatABrowserWouldIgnoreIsAnError(t *testing.T) {
	const endsWithin = "unexpected EOF"
	for text, want := range map[string]string{
		": a comment\n\n":              "not a field of an event",
		"data: {}\nmore\n\n":           "not a field of an event",
		"data: {}\rmore\n\n":           "not a field of an event",
		"data: {}\nname: x\n\n":        "not a field of an event",
		"Data: {}\n\n":                 "not a field of an event",
		"data: {}\n\n\ufeffdata: {}\n": "not a field of an event",
		"data: 1\ndata: 2\n\n":         "comes twice",
		"id: 1\ndata: 2\rid: 3\n\n":    "comes twice",
		"id: a\x00b\ndata: {}\n\n":     "NUL in it",
		"retry: soon\ndata: {}\n\n":    "not a number",
		"id: t.0\nevent: x\n\n":        "an event without data",
		"data: {}\n\n\n":               "an event without data",
		"data: {}":                     endsWithin,
		"data: {}\n":                   endsWithin,
		"data: {}\n\nid: t.0\n":        endsWithin,
	} {
		_, err := ssetest.ReadAll(strings.NewReader(text))
		require.ErrorContains(t, err, want, "%q", text)
		require.Equal(t, want != endsWithin, errors.Is(err, ssetest.ErrStrange), "%q", text)
	}
}

// If a reader waited for the byte after a blank line, it would see each event only when
// the next event comes.
func TestAnEventIsReadAsSoonAsItIsWhole(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\n\r\n", "\r\r"} {
		body, stream := io.Pipe()
		go io.WriteString(stream, "data: {}"+end) // ends when all of it is read, or by Close
		_, err := ssetest.NewReader(body).Next()
		require.NoError(t, err)
		require.NoError(t, body.Close())
	}
}

func TestAnErrorOfTheBodyIsPassedOn(t *testing.T) {
	_, err := ssetest.NewReader(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("data: {}\n\n")))).Next()
	require.ErrorIs(t, err, iotest.ErrTimeout)
}
