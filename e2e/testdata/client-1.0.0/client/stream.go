package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// maxEvent is how many bytes a line of a stream may have.
const maxEvent = 8 << 20

// errSilent is the error of a stream that has brought nothing for too long.
var errSilent = errors.New("the stream was silent for too long")

// stream is one answer to GET /events.
type stream struct {
	client *Client
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	body   io.ReadCloser  // nil: it was not asked for yet
	lines  *bufio.Scanner // of the body
}

func newStream(c *Client) *stream {
	s := &stream{client: c}
	s.ctx, s.cancel = context.WithCancelCause(c.hearing)
	return s
}

// close implements source.
func (s *stream) close() {
	s.cancel(nil)
	if s.body != nil {
		s.body.Close()
	}
}

// read implements source.
func (s *stream) read(within time.Duration) ([]received, error) {
	silence := time.AfterFunc(within, func() { s.cancel(errSilent) })
	defer silence.Stop()
	if s.body == nil {
		if err := s.open(); err != nil {
			return nil, s.cause(err)
		}
	}
	frame, err := s.frame()
	if err != nil {
		return nil, s.cause(err)
	}
	return []received{frame}, nil
}

// cause is why a request failed, where we have ended it ourselves.
func (s *stream) cause(err error) error {
	if context.Cause(s.ctx) == errSilent {
		return errSilent
	}
	return err
}

func (s *stream) open() error {
	_, token := s.client.identity.get()
	r, err := s.client.request(s.ctx, http.MethodGet, "events", token, nil, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	if lastID := s.client.reader.lastID; lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	response, err := s.client.http.Do(r)
	if err != nil {
		return err
	}
	s.body = response.Body
	if mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); response.StatusCode != http.StatusOK || mediaType != "text/event-stream" {
		return errorOf(response)
	}
	s.lines = bufio.NewScanner(s.body)
	s.lines.Buffer(nil, maxEvent)
	return nil
}

// frame reads up to the next event with data (WHATWG HTML, 9.2.6). The type stands
// in the data as well, and after how long to reconnect this client knows itself.
func (s *stream) frame() (received, error) {
	var got received
	var data [][]byte
	for s.lines.Scan() {
		line := s.lines.Bytes()
		if len(line) == 0 {
			if data != nil {
				got.data = bytes.Join(data, []byte("\n"))
				return got, nil
			}
			got = received{}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "id":
			got.id = string(value)
		case "data":
			data = append(data, bytes.Clone(value))
		}
	}
	if err := s.lines.Err(); err != nil {
		return received{}, err
	}
	return received{}, io.EOF
}

// isHeldBack tells whether something on the way may have kept a stream from
// bringing what a poll would: it brought nothing, ended early, or was answered by
// somebody else.
func isHeldBack(err error) bool {
	var strange *strangeAnswer
	return errors.Is(err, errSilent) || errors.Is(err, io.EOF) || errors.As(err, &strange)
}
