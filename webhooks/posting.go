package webhooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"signaling-server/rooms"
)

const (
	// answerWithin is how long the receiver may take to answer, from the first byte sent. The
	// Standard Webhooks recommend 15 to 30 seconds.
	answerWithin = 15 * time.Second
	// bodyWithin is how long the rest of an answer may take, and maxAnswer how many bytes of it are
	// read. It is read only so that the connection can be used again.
	bodyWithin = 500 * time.Millisecond
	maxAnswer  = 4 << 10
	// maxText is how many bytes of an error are kept.
	maxText = 200
	// timeLayout is RFC 3339 with milliseconds, as in the events of clients.
	timeLayout = "2006-01-02T15:04:05.000Z07:00"
)

// payload is the body of a webhook.
type payload struct {
	Type      string      `json:"type"`
	Timestamp string      `json:"timestamp"`
	Data      payloadData `json:"data"`
}

type payloadData struct {
	RoomID   string `json:"roomId"`
	UserID   string `json:"userId,omitempty"`
	SocketID string `json:"socketId,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// bodyOf returns the body that tells a change.
func bodyOf(c rooms.Change) []byte {
	body, _ := json.Marshal(payload{c.Kind.String(), c.At.UTC().Format(timeLayout), payloadData{c.RoomID, c.UserID, c.SocketID, c.Reason}}) // texts never fail
	return body
}

// attemptError says why an attempt has failed.
type attemptError struct {
	id         string // of the webhook
	status     int    // of the answer; 0: there was none
	text       string // why there was none
	retryAfter time.Duration
}

func (e *attemptError) String() string {
	if e.status == 0 {
		return e.text
	}
	return fmt.Sprintf("it answered %d", e.status)
}

func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost, own.MaxConnsPerHost = laneCount, laneCount
		own.MaxResponseHeaderBytes = 64 << 10
		transport = own
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// post tries once to deliver a body. It returns nil if the receiver has accepted it.
func (s *Sender) post(ctx context.Context, id string, body []byte) *attemptError {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	now := time.Now().Unix()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.URL, bytes.NewReader(body))
	if err != nil {
		return &attemptError{id: id, text: "the address cannot be used"} // the error repeats it
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "signaling-server")
	request.Header.Set("Webhook-Id", id)
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(now, 10))
	request.Header.Set("Webhook-Signature", sign(s.options.Secrets, id, now, body))
	answer, err := s.client.Do(request)
	if err != nil {
		return &attemptError{id: id, text: textOf(err)}
	}
	defer answer.Body.Close()
	tooLong := time.AfterFunc(bodyWithin, cancel)
	defer tooLong.Stop()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &attemptError{id: id, status: answer.StatusCode, retryAfter: retryAfter(answer)}
	}
	return nil
}

// textOf returns why there was no answer, without the address, which may hold credentials.
func textOf(err error) string {
	var withAddress *url.Error
	if errors.As(err, &withAddress) {
		err = withAddress.Err
	}
	var waited net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &waited) && waited.Timeout() {
		return "the receiver did not answer in time"
	}
	text := err.Error()
	return text[:min(len(text), maxText)]
}

// retryAfter returns for how long an answer asks for no other attempt (RFC 9110, section 10.2.3): 0 to
// longestPause.
func retryAfter(answer *http.Response) time.Duration {
	text := answer.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(longestPause/time.Second))) * time.Second
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(0, time.Until(at)), longestPause)
}
