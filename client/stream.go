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

// maxEvent is how many bytes one line of a stream may have.
const maxEvent = 8 << 20

// errSilent ends a stream that has brought nothing for too long.
var errSilent = errors.New("the stream was silent for too long")

// stream is one answer to GET /events. Only the goroutine that reads events uses it,
// except that the timer for silence calls cancel.
type stream struct {
	client *Client
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	body   io.ReadCloser  // nil before the request
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

// cause returns why a request failed: err, or errSilent if we ended it ourselves.
func (s *stream) cause(err error) error {
	if context.Cause(s.ctx) == errSilent {
		return errSilent
	}
	return err
}

// open makes the request, and reads the header of its answer.
func (s *stream) open() error {
	_, token := s.client.identity.get()
	r, err := s.client.request(s.ctx, http.MethodGet, "events", token, nil, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/event-stream")
	setPosition(r, s.client.identity.position(token))
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

// frame reads up to the next event with data (WHATWG HTML, 9.2.6). It ignores the
// field "event", because the data contains the type too, and the field "retry",
// because this client decides itself when to reconnect.
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

// isHeldBack reports whether something on the way may hold streams back, so that
// polling would work. Then the stream brought nothing, ended early, or got an answer
// that is not from the server.
func isHeldBack(err error) bool {
	var strange *strangeAnswer
	return errors.Is(err, errSilent) || errors.Is(err, io.EOF) || errors.As(err, &strange)
}
