package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// samples is how often the server is asked how a request arrived: the fastest says most
// about the clocks.
const samples = 4

// diagnosis is what the server says of a request (GET /doctor.json).
type diagnosis struct {
	Time            time.Time     `json:"time"`
	Version         string        `json:"version"`
	Protocol        string        `json:"protocol"`
	Heartbeat       int64         `json:"heartbeatInterval"` // milliseconds
	RequestHeaders  []headerField `json:"requestHeaders"`
	ResponseHeaders []headerField `json:"responseHeaders"`
}

// sample is one request, its answer, and what the server says of both.
type sample struct {
	sent      http.Header
	left      time.Time
	roundTrip time.Duration
	arrived   *http.Response // its body is read
	seen      diagnosis
}

// exchange compares requests and their answers with what the server says of them.
func (e *examiner) exchange(ctx context.Context) outcome {
	var fastest *sample
	for range samples {
		got, err := e.takeSample(ctx)
		if err != nil {
			return found(e.failedExchange(err))
		}
		if fastest == nil || got.roundTrip < fastest.roundTrip || got.isStored() {
			fastest = got
		}
		if got.isStored() {
			break
		}
	}
	e.note(fastest.seen)
	return found(e.adviseOnRequest(fastest), e.adviseOnResponse(fastest), e.adviseOnProtocol(fastest), adviseOnClock(fastest))
}

// note keeps what the server says of itself.
func (e *examiner) note(seen diagnosis) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.report.Version = seen.Version
	if seen.Heartbeat > 0 {
		e.heartbeat = time.Duration(seen.Heartbeat) * time.Millisecond
	}
}

// errForeign is the error of an answer that is not the server's.
var errForeign = errors.New("something answered in place of the server")

// errStatus is the error of an answer with another status than was expected.
type errStatus int

func (status errStatus) Error() string { return fmt.Sprintf("status %d", int(status)) }

func (e *examiner) takeSample(ctx context.Context) (*sample, error) {
	s := &sample{left: time.Now(), sent: http.Header{
		"Accept":          {"application/json"},
		"Authorization":   {"Bearer doctor"},
		"Idempotency-Key": {"doctor-" + rand.Text()[:10]},
		"Last-Event-Id":   {"doctor.0"},
	}}
	var header []string
	for name, values := range s.sent {
		header = append(header, name, values[0])
	}
	response, text, err := e.ask(ctx, http.MethodGet, "/doctor.json", "", nil, header...)
	s.roundTrip = time.Since(s.left)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode != http.StatusOK:
		return nil, errStatus(response.StatusCode)
	case !isJSON(text, &s.seen) || s.seen.RequestHeaders == nil:
		return nil, errForeign
	}
	s.arrived = response
	return s, nil
}

// isStored reports whether the answer is one to an older request.
func (s *sample) isStored() bool {
	key := valueOf(s.seen.RequestHeaders, "Idempotency-Key")
	return strings.HasPrefix(key, "doctor-") && key != s.sent.Get("Idempotency-Key")
}

func (e *examiner) failedExchange(err error) Finding {
	f := Finding{ID: "exchange", Level: Bad, Title: "The server did not answer the first test", Advice: say(letGet, "address", e.address)}
	var status errStatus
	switch {
	case errors.Is(err, errForeign):
		f.Text = fmt.Sprintf("Something on the way answered GET %s/doctor.json in place of the server.", e.address)
	case errors.As(err, &status):
		f.Text = answered(fmt.Sprintf("The request GET %s/doctor.json", e.address), int(status)) + "."
	default:
		f.Text = fmt.Sprintf("There was no answer to GET %s/doctor.json in time.", e.address)
	}
	return f
}

func (e *examiner) adviseOnProtocol(s *sample) Finding {
	spoken := s.arrived.Proto
	if s.arrived.ProtoMajor == 2 {
		spoken = "HTTP/2"
	}
	f := Finding{"protocol", Info, "This device speaks " + spoken, fmt.Sprintf("This device speaks %s, and the server receives %s.", spoken, s.seen.Protocol), passHTTP2, nil}
	switch {
	case s.arrived.ProtoMajor >= 2:
		f.Level, f.Title, f.Advice = Good, spoken+" reaches this device", anyTabs
	case e.Server.Scheme == "http":
		f.Advice = serveHTTP2
	default:
		f.Lines = lines[faultHTTP2]
	}
	return f
}

// adviseOnClock compares three clocks: this device's, the server's, and that of what wrote
// the header Date.
func adviseOnClock(s *sample) Finding {
	difference := s.seen.Time.Sub(s.left.Add(s.roundTrip / 2)) // positive: the server's clock is ahead
	f := Finding{"clock", Good, "The clocks agree", "", nothing, nil}
	off := difference.Abs()
	sure := "to within " + duration(s.roundTrip/2)
	switch {
	case off <= s.roundTrip/2:
		f.Text = fmt.Sprintf("This device's clock agrees with the server's, %s.", sure)
	case difference > 0:
		f.Text = fmt.Sprintf("This device's clock is %s behind the server's, %s.", duration(off), sure)
	default:
		f.Text = fmt.Sprintf("This device's clock is %s ahead of the server's, %s.", duration(off), sure)
	}
	if date, err := http.ParseTime(s.arrived.Header.Get("Date")); err == nil {
		if written := date.Sub(s.seen.Time).Abs(); written >= 5*time.Second {
			off = max(off, written)
			f.Text += fmt.Sprintf(" The header Date differs from the server's clock by %s: a proxy wrote it.", duration(written))
		}
	}
	if off >= 5*time.Second {
		f.Level, f.Title, f.Advice = Info, "The clocks differ", strings.Join([]string{checkOwnClock, serversClock, passwordsExpire}, " ")
	}
	if off >= time.Minute {
		f.Level = Warn
	}
	return f
}
