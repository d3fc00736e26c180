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

// witness stands between the clients and the servers of a test. It checks all their traffic
// against the contract, and remembers the facts that it heard.
type witness struct {
	*contract
	isStrict bool           // objects to all names that the document does not have
	streams  sync.WaitGroup // the streams that may still bring events

	mu    sync.Mutex // guards the fields below
	heard map[string]bool
	wrong []string
}

// newWitness makes a strict witness. At the end of the test, the test fails if any traffic
// was not in the contract.
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

// newListener makes a witness for one server of a test. It judges what the test reads. It
// is not strict: it allows members that the document permits without naming them, for
// example members that are relayed.
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

// listenTo puts the witness between a server and its clients.
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

// soFar returns the witness's objections until now.
func (w *witness) soFar() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wrong)
}

// wire is the transport to one server. A witness checks all that goes through it.
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

// check judges a request and its answer. The events of a stream are judged when the test
// reads them.
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
		sent = fromBeacon(request, sent)
	}
	var decoded any
	_ = json.Unmarshal(body, &decoded) // nil if it is not JSON; the judge objects to that
	if !refusesForm(response.StatusCode, decoded) {
		w.object(about+" (request)", w.judge().wrongWithRequest(operation, request, variables, sent)...)
	}
	w.object(about, w.judge().wrongWithAnswer(operation, r.Method, response, body)...)
	if r.Method == http.MethodHead {
		return nil // the document describes HEAD only in words
	}
	documented := operation.Responses.Status(response.StatusCode)
	if documented == nil {
		return nil // the judge has objected already
	}
	fact := answerFact(operation, fmt.Sprint(response.StatusCode), kindHeard(documented.Value, response, decoded))
	w.hear(fact)
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	for _, fact := range memberFacts(operation, mediaType, decoded) {
		w.hear(fact)
	}
	if !w.facts[fact] {
		w.object(about, "the document does not have the answer "+fact)
	}
	return nil
}

func isBeacon(r *http.Request) bool {
	return r.URL.Path == "/events" && strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain")
}

// fromBeacon turns a beacon into the request that it stands for. The document describes
// beacons only in words.
func fromBeacon(r *http.Request, sent []byte) []byte {
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

// refusesForm reports whether an answer says that the request, or a part of it, was wrong.
// It may also say that a target was not found, because a target may be any text. Only these
// requests need not follow the document. So the document allows all that the server accepts.
func refusesForm(status int, answer any) bool {
	members, _ := answer.(map[string]any)
	results, _ := members["results"].([]any)
	for _, result := range results {
		if typeName(result) != "" {
			return true
		}
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return false
}

// wrongBesideOperations judges the three answers that do not belong to an operation: for
// a path that does not exist, for a method that a path does not take, and for OPTIONS.
func (w *witness) wrongBesideOperations(path string, r *http.Request, response *http.Response, body []byte) (wrong []string) {
	if r.Header.Get("Access-Control-Request-Method") != "" {
		if response.StatusCode != http.StatusNoContent || len(body) > 0 {
			wrong = append(wrong, "not an empty 204 to a preflight (Fetch, 4.9)")
		}
		return wrong
	}
	if path != "" && response.Header.Get("Allow") != w.allow(path) {
		wrong = append(wrong, fmt.Sprintf("Allow is %q, but %q by the document", response.Header.Get("Allow"), w.allow(path)))
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

// judge returns the strict judge if the witness is strict, otherwise the open judge.
func (w *witness) judge() *judge {
	if w.isStrict {
		return w.strict
	}
	return w.open
}

// wrongWithEvent checks an event's data against the schema of its type, and then against the
// union of all types. The schema comes first because its errors say more.
func (w *witness) wrongWithEvent(unionName, kind string, data any) []string {
	union := w.document.Components.Schemas[unionName]
	one, known := union.Value.Discriminator.Mapping[kind]
	if !known {
		return []string{unionName + " does not have this type"}
	}
	if wrong := w.wrongWith(schemaName(one.Ref), data); len(wrong) > 0 {
		return wrong
	}
	return w.judge().wrongWithValue(unionName, union, data)
}

// wrongWith checks a value against one of the document's schemas.
func (w *witness) wrongWith(name string, value any) []string {
	return w.judge().wrongWithValue(name, w.document.Components.Schemas[name], value)
}

// streamWitness judges the events of a stream as they are read.
type streamWitness struct {
	io.ReadCloser
	witness *witness
	union   string // the name of the union of its events
	unread  []byte // the beginning of the next frame
	frames  int
	last    string // the type of the previous event
	token   string
	over    sync.Once
	reading sync.Mutex // held during a read and its judgement
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
	err := s.ReadCloser.Close() // also ends a read that is under way
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
			wrong = append(wrong, "connected must set retry: 2000")
		}
	}
	token, _, _ := strings.Cut(e.ID, ".")
	if token != s.token { // on a refused or silent stream both are empty
		wrong = append(wrong, "the id is of another socket")
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
			wrong = append(wrong, "a silence must be silence-began and silence-ended")
		}
		return wrong
	}
	if isFirst := s.frames == 1; isFirst != (kind == "connected") && !(isFirst && kind == "disconnected") {
		wrong = append(wrong, "the first event must be connected, or a disconnected that refuses the stream")
	}
	if s.last == "disconnected" || s.last == "server-shutdown" {
		wrong = append(wrong, "an event follows "+s.last)
	}
	return wrong
}

// halfSent sends a request whose body breaks off. net/http's client cannot do that.
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
