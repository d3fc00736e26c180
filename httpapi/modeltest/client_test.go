package modeltest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/internal/ssetest"
	"signaling-server/sse"
)

// line is one request for events, with what has arrived in answer to it.
type line struct {
	client *modelClient
	socket *oracleSocket
	reader *oracleReader // what must arrive
	node   *modelNode    // that serves it
	ear    *ear
	read   chan struct{} // closed when the answer has been read to its end

	mu      sync.Mutex      // guards the fields below
	arrived []ssetest.Event // the events that were not taken yet
	rest    []string        // how the answer ended, and what else it contained
}

// ask sends a request for events over a new connection. The caller must call hangUp.
func (s *modelServer) ask(r *http.Request) *line {
	l := &line{node: s.next(), ear: s.dial(), read: make(chan struct{})}
	go l.run(r) // ends with the answer, or when the client hangs up
	return l
}

func (l *line) hangUp() {
	l.ear.Close()
	<-l.read
}

func (l *line) run(r *http.Request) {
	defer close(l.read)
	err := l.exchange(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, io.EOF) {
		l.rest = append(l.rest, theEnd)
	} else {
		l.rest = append(l.rest, err.Error())
	}
}

// theEnd describes an answer that ends correctly.
const theEnd = "the end"

func (l *line) exchange(r *http.Request) error {
	if err := r.Write(l.ear); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(l.ear), r)
	if err != nil {
		return err
	}
	switch {
	case response.StatusCode != http.StatusOK:
		answer, _ := readAnswer(response)
		return errors.New(answer)
	case response.Header.Get("Content-Type") == "text/event-stream":
		return l.readStream(response.Body)
	default:
		return l.readBatch(response.Body)
	}
}

// readStream reads events until the body ends.
func (l *line) readStream(body io.Reader) error {
	for stream := ssetest.NewReader(body); ; {
		e, err := stream.Next()
		if err != nil {
			return err
		}
		l.receive(e)
	}
}

// readBatch reads the answer to a poll. It gives each event the id that the event would have
// in a stream.
func (l *line) readBatch(body io.Reader) error {
	var answer struct {
		Events      []json.RawMessage
		LastEventID string
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		return err
	}
	token, digits, _ := strings.Cut(answer.LastEventID, ".")
	last, err := strconv.Atoi(digits)
	if err != nil {
		return err
	}
	events := make([]ssetest.Event, len(answer.Events))
	for i, data := range answer.Events {
		var head struct{ Type string }
		if err := json.Unmarshal(data, &head); err != nil {
			return err
		}
		events[i] = ssetest.Event{Type: head.Type, Data: string(data)}
	}
	for i, sequence := len(events)-1, last; i >= 0; i-- {
		events[i].ID = fmt.Sprintf("%s.%d", token, sequence)
		if !isAside(events[i].Type) {
			sequence--
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived = events
	l.rest = []string{positionAs(last)}
	return io.EOF
}

// isAside reports whether events of this type are for one stream or poll only. They have no
// sequence number of their own: they repeat the last one.
func isAside(kind string) bool {
	switch kind {
	case "connected", "heartbeat", "disconnected", "server-shutdown":
		return true
	}
	return false
}

// positionAs describes the lastEventId of a poll's answer.
func positionAs(sequence int) string { return fmt.Sprintf("lastEventId %d", sequence) }

func (l *line) receive(e ssetest.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived = append(l.arrived, e)
}

// take returns what has arrived since the last call.
func (l *line) take() (events []ssetest.Event, rest []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events, rest = l.arrived, l.rest
	l.arrived, l.rest = nil, nil
	return events, rest
}

// hasBeat reports whether a heartbeat with a timestamp has arrived since the last call of take.
func (l *line) hasBeat(timestamp string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.arrived, func(e ssetest.Event) bool {
		return e.Type == "heartbeat" && strings.Contains(e.Data, timestamp)
	})
}

// hello returns the token in the first event, or "" if there is none.
func (l *line) hello() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.arrived) == 0 || l.arrived[0].Type != "connected" {
		return ""
	}
	var hello struct{ Token string }
	_ = json.Unmarshal([]byte(l.arrived[0].Data), &hello) // the oracle notices a wrong token
	return hello.Token
}

// has returns how many events with their own sequence number have arrived.
func (l *line) has() (count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.arrived {
		if !isAside(e.Type) {
			count++
		}
	}
	return count
}

// ear is the client's end of a connection. It can stop reading and start again.
type ear struct {
	net.Conn

	mu       sync.Mutex    // guards the fields below
	covered  chan struct{} // nil while the ear reads; closed when it reads again
	waiting  []func()      // to be called when the ear reads again
	isClosed bool
}

// Read implements net.Conn.
func (e *ear) Read(p []byte) (int, error) {
	for {
		e.mu.Lock()
		covered := e.covered
		e.mu.Unlock()
		if covered != nil {
			<-covered
		}
		if n, err := e.Conn.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// Close implements net.Conn.
func (e *ear) Close() error {
	err := e.Conn.Close()
	e.mu.Lock()
	e.isClosed, e.waiting = true, nil
	e.mu.Unlock()
	e.uncover()
	return err
}

// cover makes the ear read nothing until uncover is called.
func (e *ear) cover() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.covered = make(chan struct{})
	_ = e.SetReadDeadline(time.Now()) // ends a Read that is under way
}

func (e *ear) uncover() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.covered != nil {
		_ = e.SetReadDeadline(time.Time{})
		close(e.covered)
		e.covered = nil
		for _, call := range e.waiting {
			go call() // it returns at once
		}
		e.waiting = nil
	}
}

// isCovered reports whether the ear reads nothing now. If so, it calls a function when the
// ear reads again. The error is [net.ErrClosed].
func (e *ear) isCovered(then func()) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.isClosed:
		return false, net.ErrClosed
	case e.covered != nil:
		e.waiting = append(e.waiting, then)
		return true, nil
	}
	return false, nil
}

// do sends a request and returns the answer in short form: "202", "404 target-not-found", or
// for a batch "200" and the short form of each result.
func (s *modelServer) do(t *rapid.T, r *http.Request) string {
	connection := s.dial()
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(time.Minute)))
	require.NoError(t, r.Write(connection))
	response, err := http.ReadResponse(bufio.NewReader(connection), r)
	require.NoError(t, err)
	answer, err := readAnswer(response)
	require.NoError(t, err)
	return answer
}

// doUnanswered sends a request whose answer is lost.
func (s *modelServer) doUnanswered(t *rapid.T, r *http.Request) {
	connection := s.dial()
	require.NoError(t, r.Write(connection))
	settle()
	connection.Close()
}

// get reads one of the monitoring documents.
func (s *modelServer) get(t *rapid.T, path string, document any) {
	connection := s.dial()
	defer connection.Close()
	r := newModelRequest(http.MethodGet, path, "")
	require.NoError(t, r.Write(connection))
	response, err := http.ReadResponse(bufio.NewReader(connection), r)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(response.Body).Decode(document))
}

func readAnswer(response *http.Response) (string, error) {
	answer := []string{strconv.Itoa(response.StatusCode)}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	type problem struct {
		Status int
		Type   string
	}
	var body struct {
		problem
		Results []problem
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return "", err
	}
	if body.Type != "" {
		answer = append(answer, strings.TrimPrefix(body.Type, "/problems/"))
	}
	for _, result := range body.Results {
		answer = append(answer, strings.TrimSuffix(fmt.Sprintf("%d %s", result.Status, strings.TrimPrefix(result.Type, "/problems/")), " "))
	}
	return strings.Join(answer, " "), nil
}

func newModelRequest(method, path, body string) *http.Request {
	r, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		panic(err) // only for an invalid method or path
	}
	return r
}

// idOf returns the ID that the socket with this token must have.
func idOf(token string) string {
	parsed, _ := sse.ParseToken(token)
	return parsed.SocketID()
}
