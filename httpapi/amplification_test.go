package httpapi_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/httpapi"
	"signaling-server/httpapi/httpapitest"
	"signaling-server/internal/budget"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// The law of amplification bounds two things by the size of a request: the memory that
// the server still holds after its answer, and the memory that it allocates to read it.
const (
	heldPerByte, heldFixed       = 4, 2 << 10
	heldPerReceiver              = 32
	readingPerByte, readingFixed = 8, 8 << 10
)

// amplified is a server that is called without a network, so that only the server
// makes the memory grow.
type amplified struct {
	api       http.Handler
	hub       *sse.Hub
	budget    *budget.Budget
	receivers []string // the tokens of the sockets in the room that have no reader
	token     string   // the token of the sender
	keys      int      // how many prefixes of keys were used
}

const amplifiedReceivers = 4

func newAmplified(t testing.TB) *amplified {
	s := &amplified{budget: budget.New(1 << 40)}
	joined := httpapitest.Run(t, signaling.Parts{
		SSE:   sse.Options{AwayAfter: time.Hour, ResumeWindow: time.Hour},
		Rooms: rooms.Options{Members: 100},
		API:   httpapi.Options{Environment: "test", CORSOrigins: []string{"*"}, Budget: s.budget, Logger: slog.New(slog.DiscardHandler)},
	})
	s.api, s.hub = joined.Handler(), joined.Hub()
	return s
}

// silentAnswer drops the answer, and counts its bytes.
type silentAnswer struct {
	header http.Header
	status int
	bytes  int
}

func (a *silentAnswer) Header() http.Header { return a.header }

func (a *silentAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *silentAnswer) Write(part []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.bytes += len(part)
	return len(part), nil
}

func (a *silentAnswer) Flush() {}

// open opens a socket, leaves it without a reader, and returns its token.
func (s *amplified) open(t require.TestingT) string {
	answer := httptest.NewRecorder()
	s.api.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/events/poll?wait=0", nil))
	var opened struct{ Events []struct{ Token string } }
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &opened))
	return opened.Events[0].Token
}

func (s *amplified) post(token, path, body string) int {
	answer := &silentAnswer{header: make(http.Header)}
	s.api.ServeHTTP(answer, asked{method: http.MethodPost, path: path, body: body, token: token}.request(0))
	return answer.status
}

// gather opens the receivers and a sender, and joins them all to one room.
func (s *amplified) gather(t require.TestingT) {
	for range amplifiedReceivers {
		s.receivers = append(s.receivers, s.open(t))
	}
	s.token = s.open(t)
	for i, token := range append(slices.Clone(s.receivers), s.token) {
		require.Equal(t, http.StatusAccepted, s.post(token, "/events", fmt.Sprintf(`{"type":"join-room","roomId":"r","userId":"u%d"}`, i)))
	}
}

// part ends all sockets of the room.
func (s *amplified) part() {
	for _, token := range append(s.receivers, s.token) {
		s.post(token, "/events", `{"type":"disconnect"}`)
	}
	s.receivers = nil
}

// target returns the socket ID of a receiver.
func (s *amplified) target(t require.TestingT) string {
	token, ok := sse.ParseToken(s.receivers[0])
	require.True(t, ok)
	socket, ok := s.hub.Authenticate(token)
	require.True(t, ok)
	return socket.SocketID()
}

// asked is a request that can be made again and again.
type asked struct {
	method, path, body string
	token              string
	contentType        string
	header             map[string]string
	events             int    // how many events a batch has; 0 if it is not a batch
	key                string // the prefix of the Idempotency-Key, to which each request adds its number; "" for no key
}

func (a asked) request(number int) *http.Request {
	var body io.Reader
	if a.body != "" {
		body = strings.NewReader(a.body)
	}
	r := httptest.NewRequest(a.method, "/", body)
	r.URL = must(url.Parse(a.path))
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	if a.contentType == "" {
		a.contentType = "application/json"
	}
	r.Header.Set("Content-Type", a.contentType)
	for name, value := range a.header {
		r.Header.Set(name, value)
	}
	if a.key != "" {
		r.Header.Set("Idempotency-Key", fmt.Sprint(a.key, number))
	}
	return r
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// size returns how many bytes the request has on the wire, at least.
func (a asked) size() int {
	n := len(a.method) + len(a.path) + len(a.body) + len(a.token) + len(a.key)
	for name, value := range a.header {
		n += len(name) + len(value)
	}
	return n
}

// measured is what one of many equal requests takes, on average.
type measured struct {
	held    int // bytes that are still held after the answer
	reading int // bytes that were allocated in all
	answer  int // bytes of the answer's body
	status  int
}

// measure sends equal requests and measures what they take.
func (s *amplified) measure(a asked) (m measured) {
	const times = 64
	requests := make([]*http.Request, times)
	s.keys++
	if a.key != "" {
		a.key = fmt.Sprint(a.key, s.keys, "-")
	}
	for i := range requests {
		requests[i] = a.request(i)
	}
	answer := &silentAnswer{header: make(http.Header)}
	s.api.ServeHTTP(answer, a.request(times)) // allocates what only the first request needs
	m.status, m.answer = answer.status, answer.bytes
	held, taken := memory()
	for i, r := range requests {
		answer := &silentAnswer{header: make(http.Header)}
		s.api.ServeHTTP(answer, r)
		requests[i] = nil // otherwise this test would hold the request
	}
	_, takenAfter := takenMemory()
	heldAfter, _ := memory()
	m.held, m.reading = (heldAfter-held)/times, (takenAfter-taken)/times
	for _, r := range requests {
		runtime.KeepAlive(r)
	}
	return m
}

// memory returns the bytes in use, after a collection, and the bytes that were ever
// allocated.
func memory() (held, taken int) {
	runtime.GC()
	runtime.GC()
	return takenMemory()
}

func takenMemory() (held, taken int) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse), int(m.TotalAlloc)
}

// violation says which part of the law a request breaks; "" if none. The memory that it
// takes to read even the smallest request is the server's own, and does not count.
func (m measured) violation(a asked, smallest measured) string {
	n := a.size()
	if most := heldPerByte*n + heldFixed + amplifiedReceivers*heldPerReceiver; m.held > most {
		return fmt.Sprintf("%d bytes are held after a request of %d, more than %d", m.held, n, most)
	}
	if most := readingPerByte*n + readingFixed + max(a.events, 1)*smallest.reading; m.reading > most && !poolsForget {
		return fmt.Sprintf("%d bytes are taken to read a request of %d, more than %d", m.reading, n, most)
	}
	return ""
}

// worstTexts are expensive texts, written as they stand between the quotes of JSON.
var worstTexts = []string{"<", `\u003c`, "é", `\u00e9`, "\u2028", `\u2028`, `\u0000`, `\"`, `\\`, "😀", `\ud83d\ude00`, `\ud83d`, "x", "\u00a0", `\/`}

// drawText draws one of the worst texts, repeated.
func drawText(rt *rapid.T, label string) string {
	unit := rapid.SampledFrom(worstTexts).Draw(rt, label)
	return strings.Repeat(unit, rapid.SampledFrom([]int{1, 60, 500, 5000}).Draw(rt, label+" length")*2/(len(unit)+1)+1)
}

// drawWorst draws a JSON value that is expensive for its kind.
func drawWorst(rt *rapid.T) string {
	times := rapid.SampledFrom([]int{1, 10, 100, 1000}).Draw(rt, "times")
	switch rapid.IntRange(0, 7).Draw(rt, "value") {
	case 0:
		return `"` + drawText(rt, "text") + `"`
	case 1:
		return "[" + strings.Repeat("1,", times) + "1]"
	case 2:
		return "[" + strings.Repeat("{},", times) + "[]]"
	case 3:
		return `{"` + drawText(rt, "name") + `":1` + strings.Repeat(`,"":1`, times) + "}"
	case 4:
		depth := min(times, 90)
		return strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)
	case 5:
		return "[" + strings.Repeat(" ", times) + "1 ]"
	case 6:
		return `{"type":"offer","sdp":"` + drawText(rt, "sdp") + `"` + strings.Repeat(`,"type":"offer","sdp":"x"`, times) + "}"
	default:
		return strings.Repeat("1", times)
	}
}

// drawEvent draws an event by its type's schema, and then makes parts of it expensive.
func drawEvent(rt *rapid.T, schema *openapi3.Schema, target string) string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if !slices.Contains(schema.Required, name) && rapid.Bool().Draw(rt, "without "+name) {
			continue
		}
		value := string(must(json.Marshal(drawValue(rt, schema.Properties[name].Value))))
		switch {
		case name == "target" && rapid.IntRange(0, 3).Draw(rt, "target") > 0:
			value = `"` + target + `"`
		case name != "type" && rapid.Bool().Draw(rt, "worse "+name):
			value = drawWorst(rt)
		}
		members = append(members, `"`+name+`":`+value)
	}
	switch rapid.IntRange(0, 4).Draw(rt, "members") {
	case 0:
		members = append(members, `"`+drawText(rt, "name")+`":`+drawWorst(rt))
	case 1:
		for range rapid.SampledFrom([]int{5, 50, 70, 5000}).Draw(rt, "many") {
			members = append(members, `"":1`)
		}
	case 2:
		name := drawText(rt, "name")
		for range 20 {
			members = append(members, `"`+name[:len(name)/2]+`":1`)
		}
	}
	space := rapid.SampledFrom([]string{"", "", " ", strings.Repeat("\n", 100)}).Draw(rt, "space")
	event := "{" + strings.Join(members, ","+space) + space + "}"
	if rapid.IntRange(0, 9).Draw(rt, "cut off") == 0 {
		event = event[:len(event)/2]
	}
	return event
}

// drawPost draws a request that sends events of a type.
func drawPost(rt *rapid.T, s *amplified, schema *openapi3.Schema) asked {
	event := drawEvent(rt, schema, s.target(rt))
	a := asked{method: http.MethodPost, path: "/events", body: event, token: s.token}
	if rapid.Bool().Draw(rt, "keyed") {
		a.key = "k"
	}
	switch rapid.IntRange(0, 3).Draw(rt, "form") {
	case 0:
		a.path = "/events/batch"
		times := rapid.SampledFrom([]int{1, 3, 64, 65}).Draw(rt, "events")
		if len(event)*times > 60_000 {
			times = 60_000/len(event) + 1
		}
		a.events = times
		a.body = `{"events":[` + strings.Repeat(event+",", times-1) + event + `]}`
	case 1:
		a.token, a.contentType = "", "text/plain"
		if strings.HasPrefix(event, "{\"") {
			a.body = fmt.Sprintf(`{"token":%q,`, s.token) + event[1:]
		}
	}
	return a
}

// smallest measures the smallest request of each kind, and returns the most that any of
// them takes to be read.
func (s *amplified) smallest(t *testing.T) (most measured) {
	s.gather(t)
	defer s.part()
	for path, body := range map[string]string{"/events": `{"type":"ping"}`, "/events/batch": `{"events":[{"type":"ping"}]}`} {
		m := s.measure(asked{method: http.MethodPost, path: path, body: body, token: s.token, key: "k"})
		require.Less(t, m.status, 300)
		most.reading = max(most.reading, m.reading)
	}
	t.Logf("the smallest request takes %d bytes", most.reading)
	return most
}

// The server holds at most a few times the size of what a client sends, even if all its
// receivers read nothing. It also allocates at most a few times that size to read it.
func TestNoEventMakesTheServerHoldMuchMoreThanItsSize(t *testing.T) {
	c := must(theContract())
	s := newAmplified(t)
	least := s.smallest(t)
	schemas := make(map[string]*openapi3.Schema)
	for kind, ref := range c.document.Components.Schemas["ClientEvent"].Value.Discriminator.Mapping {
		schemas[kind] = c.document.Components.Schemas[ref.Ref[strings.LastIndex(ref.Ref, "/")+1:]].Value
	}
	delete(schemas, "disconnect") // it ends the sender's socket, so it cannot be repeated
	kinds := slices.Sorted(maps.Keys(schemas))
	rapid.Check(t, func(rt *rapid.T) {
		s.gather(rt)
		defer s.part()
		a := drawPost(rt, s, schemas[rapid.SampledFrom(kinds).Draw(rt, "event type")])
		if m := s.measure(a); m.violation(a, least) != "" {
			rt.Fatalf("%s %s (keyed: %t): %s (answered %d): %.300s", a.method, a.path, a.key != "", m.violation(a, least), m.status, a.body)
		}
	})
	require.Zero(t, s.budget.Used(), "everything is given back")
}

// drawAsked draws a request of any operation, with a long text in each place that takes
// a text.
func drawAsked(rt *rapid.T, s *amplified, one askedFor) asked {
	a := asked{method: one.method, path: one.path, token: s.token, header: map[string]string{}}
	query := url.Values{}
	for _, ref := range one.Parameters {
		p := ref.Value
		value := fmt.Sprint(drawValue(rt, p.Schema.Value))
		if rapid.Bool().Draw(rt, "worse "+p.Name) {
			value = drawText(rt, p.Name)
		}
		switch {
		case p.In == "path":
			a.path = strings.ReplaceAll(a.path, "{"+p.Name+"}", url.PathEscape(value))
		case p.In == "query" && (p.Required || rapid.Bool().Draw(rt, "with "+p.Name)):
			query.Set(p.Name, value)
		case p.In == "header" && isFieldValue(value):
			a.header[p.Name] = value
		}
	}
	if one.OperationID == "pollEvents" {
		query.Set("wait", "0")
	}
	if len(query) > 0 {
		a.path += "?" + query.Encode()
	}
	if one.RequestBody != nil {
		a.body = string(drawBody(rt, one.RequestBody.Value.Content["application/json"].Schema.Value, true))
	}
	for _, name := range []string{"User-Agent", "X-Forwarded-For", "Forwarded", "Origin", "Accept", "X-Any"} {
		if rapid.IntRange(0, 3).Draw(rt, "with "+name) == 0 {
			a.header[name] = strings.Repeat(rapid.SampledFrom([]string{"<", "1.2.3.4, ", "\"", "x=y;"}).Draw(rt, name), 500)
		}
	}
	if rapid.IntRange(0, 3).Draw(rt, "without token") == 0 {
		a.token = ""
	}
	return a
}

// The bound on the memory held applies to every operation that answers at once.
func TestNoRequestMakesTheServerHoldMuchMoreThanItsSize(t *testing.T) {
	s := newAmplified(t)
	operations := askable(must(theContract()))
	rapid.Check(t, func(rt *rapid.T) {
		s.gather(rt)
		defer s.part()
		one := rapid.SampledFrom(operations).Draw(rt, "operation")
		a := drawAsked(rt, s, one)
		m := s.measure(a)
		if most := heldPerByte*a.size() + heldFixed + amplifiedReceivers*heldPerReceiver; m.held > most {
			rt.Fatalf("%s: %d bytes are held after a request of %d, more than %d (answered %d): %.300s", one.OperationID, m.held, a.size(), most, m.status, a.path)
		}
	})
}

// Metadata can make the list of a room's members large. The server must not hold a copy of
// the list for each member that joins.
func TestALargeListOfMembersIsNotHeldForEachMemberThatJoins(t *testing.T) {
	s := newAmplified(t)
	s.gather(t)
	for i, token := range s.receivers {
		s.post(token, "/events", fmt.Sprintf(`{"type":"join-room","roomId":"r","userId":"u%d","metadata":{"x":%q}}`, i, strings.Repeat("x", 4000)))
	}
	a := asked{method: http.MethodPost, path: "/events", token: s.token, body: `{"type":"join-room","roomId":"r","userId":"u4"}`}
	require.Empty(t, s.measure(a).violation(a, measured{}))
}
