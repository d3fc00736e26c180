package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody is how much of an answer is read.
const maxBody = 1 << 20

// request makes a request to a path of the server. A token that is not empty names its socket.
func (e *examiner) request(ctx context.Context, method, path, token string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, trimSlash(e.Server.String())+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

// ask sends a request, and reads the answer, all within the time-out.
func (e *examiner) ask(ctx context.Context, method, path, token string, body []byte, header ...string) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	r, err := e.request(ctx, method, path, token, body)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := e.http.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	return response, text, err
}

// post is what became of a POST. The status is 0 if it got no answer.
type post struct {
	status    int
	roundTrip time.Duration
}

func (p post) isAccepted() bool { return p.status == http.StatusAccepted }

var ping = []byte(`{"type":"ping"}`)

func (e *examiner) post(ctx context.Context, token string, body []byte) post {
	began := time.Now()
	response, _, err := e.ask(ctx, http.MethodPost, "/events", token, body)
	if err != nil {
		return post{}
	}
	return post{response.StatusCode, time.Since(began)}
}

// leave ends a socket of the doctor, also if ctx has ended.
func (e *examiner) leave(ctx context.Context, token string) {
	if token != "" {
		e.post(context.WithoutCancel(ctx), token, []byte(`{"type":"disconnect"}`))
	}
}

func isEventStream(response *http.Response) bool {
	return response.StatusCode == http.StatusOK && strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream")
}

func isJSON(text []byte, target any) bool { return json.Unmarshal(text, target) == nil }
