package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/ssetest"
	"signaling-server/sse"
)

// witness stands between the clients and the servers of a test, holds all that
// they say to the contract, and remembers what it heard.
type witness struct {
	*contract
	isStrict bool           // about what the document does not name
	streams  sync.WaitGroup // that may still say something

	mu    sync.Mutex // guards what follows
	heard map[string]bool
	wrong []string
}

// newWitness makes a strict witness. When the test is over, it fails if anything
// was said that is not in the contract.
func newWitness(t *testing.T, c *contract) *witness {
	w := &witness{contract: c, isStrict: true, heard: make(map[string]bool)}
	t.Cleanup(func() { // the servers have stopped by now, and the streams have ended
		w.streams.Wait()
		for _, wrong := range w.wrong {
			t.Error(wrong)
		}
	})
	return w
}

// newListener makes a witness of one server of a test. It hears what the test reads,
// and lets pass what the document is open for, such as members that travel along.
func newListener(t testing.TB) *witness {
	if _, isTest := t.(*testing.T); !isTest {
		return nil // a benchmark measures the server alone
	}
	c, err := theContract()
	require.NoError(t, err)
	w := &witness{contract: c, heard: make(map[string]bool)}
	t.Cleanup(func() {
		for _, wrong := range w.soFar() {
			t.Error(wrong)
		}
	})
	return w
}

// newServer starts a server that the witness listens to.
func (w *witness) newServer(t *testing.T, options sse.Options, maxMembers int, others ...func(*setup)) *server {
	return newServer(t, options, maxMembers, append(others, func(u *setup) { u.witness = w })...)
}

// listenTo has the witness hear what a server's clients say and are told.
func (w *witness) listenTo(s *server) {
	if w != nil {
		s.Client().Transport = &wire{s.Client().Transport.(*http.Transport), w}
	}
}

func (w *witness) hear(fact string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard[fact] = true
}

func (w *witness) object(about string, wrong ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range wrong {
		if text := about + ": " + one; !slices.Contains(w.wrong, text) {
			w.wrong = append(w.wrong, text)
		}
	}
}

// soFar is what the witness has objected to until now.
func (w *witness) soFar() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wrong)
}

// wire is the way to one server, past a witness.
type wire struct {
	*http.Transport
	witness *witness
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	sent := r.Clone(r.Context())
	if r.Body != nil && r.Body != http.NoBody {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		sent.Body = io.NopCloser(bytes.NewReader(body))
	}
	response, err := w.Transport.RoundTrip(sent)
	if err != nil {
		return nil, err
	}
	return response, w.witness.check(r, body, response)
}

// check judges one request and its answer. The events of a stream are judged
// as they are read.
func (w *witness) check(r *http.Request, sent []byte, response *http.Response) error {
	var body []byte
	path, variables, operation := w.operation(r)
	isStream := response.Header.Get("Content-Type") == "text/event-stream"
	if isStream {
		w.streams.Add(1)
		response.Body = &streamWitness{ReadCloser: response.Body, witness: w, union: unionOf(operation)}
	} else {
		var err error
		body, err = io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
	}

	about := fmt.Sprintf("%s %s → %d", r.Method, r.URL.Path, response.StatusCode)
	if operation == nil {
		w.object(about, w.wrongBesideOperations(path, r, response, body)...)
		return nil
	}
	request := r.Clone(r.Context())
	if isBeacon(r) {
		sent = undressed(request, sent)
	}
	var decoded any
	_ = json.Unmarshal(body, &decoded) // nil if it is not JSON, which the judge tells
	if !refusesForm(response.StatusCode, decoded) {
		w.object(about+" (request)", w.judge().wrongWithRequest(operation, request, variables, sent)...)
	}
	w.object(about, w.judge().wrongWithAnswer(operation, r.Method, response, body)...)
	if r.Method == http.MethodHead {
		return nil // the document tells of it in words
	}
	documented := operation.Responses.Status(response.StatusCode)
	if documented == nil {
		return nil // the judge tells
	}
	fact := answerFact(operation, fmt.Sprint(response.StatusCode), kindHeard(documented.Value, response, decoded))
	w.hear(fact)
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	for _, fact := range memberFacts(operation, mediaType, decoded) {
		w.hear(fact)
	}
	if !w.facts[fact] {
		w.object(about, "the document has no such answer: "+fact)
	}
	return nil
}

func isBeacon(r *http.Request) bool {
	return r.URL.Path == "/events" && strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain")
}

// undressed makes of a beacon, which the document tells of in words, the request
// that it stands for.
func undressed(r *http.Request, sent []byte) []byte {
	var event map[string]any
	if json.Unmarshal(sent, &event) != nil {
		return sent
	}
	token, _ := event["token"].(string)
	delete(event, "token")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	body, err := json.Marshal(event)
	if err != nil {
		panic(err) // it was JSON
	}
	return body
}

// refusesForm tells whether an answer says that the request itself was wrong, or a
// part of it, or that a target in it, which may be any text, was not found.
// Such a request need not follow the document. All others must, so what the
// server accepts, the document allows.
func refusesForm(status int, answer any) bool {
	members, _ := answer.(map[string]any)
	results, _ := members["results"].([]any)
	for _, result := range results {
		if typeName(result) != "" {
			return true
		}
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// wrongBesideOperations judges the three answers that belong to no operation:
// to a path that does not exist, to a method that a path does not take, and to
// OPTIONS.
func (w *witness) wrongBesideOperations(path string, r *http.Request, response *http.Response, body []byte) (wrong []string) {
	if r.Header.Get("Access-Control-Request-Method") != "" {
		if response.StatusCode != http.StatusNoContent || len(body) > 0 {
			wrong = append(wrong, "not an empty 204 to a preflight (Fetch, 4.9)")
		}
		return wrong
	}
	if path != "" && response.Header.Get("Allow") != w.allow(path) {
		wrong = append(wrong, fmt.Sprintf("Allow is %q, and by the document %q", response.Header.Get("Allow"), w.allow(path)))
	}
	if path != "" && r.Method == http.MethodOptions {
		if response.StatusCode != http.StatusOK || len(body) > 0 {
			wrong = append(wrong, "not an empty 200")
		}
		return wrong
	}
	status, name := http.StatusNotFound, "not-found"
	if path != "" {
		status, name = http.StatusMethodNotAllowed, "method-not-allowed"
	}
	if r.Method == http.MethodHead {
		return wrong // it has no body to judge
	}
	var problem any
	if err := json.Unmarshal(body, &problem); err != nil {
		return append(wrong, err.Error())
	}
	if response.StatusCode != status || typeName(problem) != name || response.Header.Get("Content-Type") != "application/problem+json" {
		wrong = append(wrong, fmt.Sprintf("not the problem %s", name))
	}
	if path != "" {
		for _, operation := range w.document.Paths.Value(path).Operations() {
			if operation.Responses.Value("405") != nil {
				w.hear(answerFact(operation, "405", name))
			}
			for _, fact := range memberFacts(operation, "application/problem+json", problem) {
				w.hear(fact)
			}
		}
	}
	return append(wrong, w.wrongWith("Problem", problem)...)
}

// judge is the one of the two that the witness calls.
func (w *witness) judge() *judge {
	if w.isStrict {
		return w.strict
	}
	return w.open
}

// wrongWithEvent holds an event's data to the one schema that its type stands
// for, and to the union of all, whose errors tell little.
func (w *witness) wrongWithEvent(unionName, kind string, data any) []string {
	union := w.document.Components.Schemas[unionName]
	one, known := union.Value.Discriminator.Mapping[kind]
	if !known {
		return []string{"the type is none of " + unionName + "'s"}
	}
	if wrong := w.wrongWith(schemaName(one.Ref), data); len(wrong) > 0 {
		return wrong
	}
	return w.judge().wrongWithValue(unionName, union, data)
}

// wrongWith holds a value to one of the document's schemas.
func (w *witness) wrongWith(name string, value any) []string {
	return w.judge().wrongWithValue(name, w.document.Components.Schemas[name], value)
}

// streamWitness judges the events of a stream as they are read.
type streamWitness struct {
	io.ReadCloser
	witness *witness
	union   string // of its events
	unread  []byte // the beginning of the next frame
	frames  int
	last    string // the type of the event before
	token   string
	over    sync.Once
	reading sync.Mutex // held while something is read and judged
}

// Read implements io.Reader.
func (s *streamWitness) Read(p []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	n, err := s.ReadCloser.Read(p)
	s.unread = append(s.unread, p[:n]...)
	for {
		frame, rest, whole := bytes.Cut(s.unread, []byte("\n\n"))
		if !whole {
			break
		}
		s.witness.object("an event", s.wrongWithFrame(string(frame))...)
		s.unread = rest
	}
	if err == io.EOF && len(s.unread) > 0 {
		s.witness.object("a stream", "ends within a frame")
	}
	if err != nil {
		s.over.Do(s.witness.streams.Done)
	}
	return n, err
}

// Close implements io.Closer.
func (s *streamWitness) Close() error {
	err := s.ReadCloser.Close() // which ends the reading under way
	s.reading.Lock()
	defer s.reading.Unlock()
	s.over.Do(s.witness.streams.Done)
	return err
}

// wrongWithFrame judges one event.
func (s *streamWitness) wrongWithFrame(frame string) (wrong []string) {
	events, err := ssetest.ReadAll(strings.NewReader(frame + "\n\n"))
	if err != nil || len(events) != 1 {
		return append(wrong, fmt.Sprintf("%d events in a frame (%v): %q", len(events), err, frame))
	}
	e := events[0]
	kind := e.Type
	s.frames++
	wrong = append(wrong, s.wrongInOrder(kind)...)
	s.last = kind

	var data map[string]any
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
		return append(wrong, err.Error())
	}
	if data["type"] != kind {
		wrong = append(wrong, "the field event and the member type differ")
	}
	if kind == "connected" {
		s.token, _ = data["token"].(string)
		if e.Retry != "2000" {
			wrong = append(wrong, "connected sets retry: 2000")
		}
	}
	token, _, _ := strings.Cut(e.ID, ".")
	if token != s.token { // both are empty on a stream that is refused, or silent
		wrong = append(wrong, "the id is not of this socket")
	}
	wrong = append(wrong, s.witness.wrongWithEvent(s.union, kind, data)...)
	for _, fact := range s.witness.eventFacts(kind, data) {
		s.witness.hear(fact)
	}
	for i := range wrong {
		wrong[i] += "\n" + frame
	}
	return wrong
}

// wrongInOrder judges the place of an event in its stream.
func (s *streamWitness) wrongInOrder(kind string) (wrong []string) {
	if s.union == "SilenceEvent" {
		if want := []string{"silence-began", "silence-ended"}; s.frames > len(want) || kind != want[s.frames-1] {
			wrong = append(wrong, "a silence has two events")
		}
		return wrong
	}
	if isFirst := s.frames == 1; isFirst != (kind == "connected") && !(isFirst && kind == "disconnected") {
		wrong = append(wrong, "the first event is connected, or the one that refuses the stream")
	}
	if s.last == "disconnected" || s.last == "server-shutdown" {
		wrong = append(wrong, "something follows "+s.last)
	}
	return wrong
}

// halfSent posts a body that breaks off, which net/http's client would not do.
func (w *witness) halfSent(t *testing.T, s *server, method, path string) *http.Response {
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	require.NoError(t, err)
	connection, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(connection, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{", method, path)
	require.NoError(t, err)
	require.NoError(t, connection.(*net.TCPConn).CloseWrite())
	response, err := http.ReadResponse(bufio.NewReader(connection), r)
	require.NoError(t, err)
	require.NoError(t, w.check(r, nil, response))
	return response
}
