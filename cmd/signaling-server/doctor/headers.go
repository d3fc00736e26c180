package doctor

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// headerField is one line of a header, as the server lists it.
type headerField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func valueOf(fields []headerField, name string) string {
	for _, field := range fields {
		if strings.EqualFold(field.Name, name) {
			return field.Value
		}
	}
	return ""
}

// ownFields are those that Go's client sends by itself.
var ownFields = []string{"Accept-Encoding", "Connection", "Content-Length", "Host", "User-Agent"}

// fieldsOfAHop are those that each hop may add to an answer, or remove (RFC 9110, 7.6.1).
var fieldsOfAHop = []string{"Connection", "Content-Length", "Date", "Keep-Alive", "Trailer", "Transfer-Encoding"}

// changes are what was done to a header on the way: names of fields.
type changes struct{ added, removed, changed []string }

// lost are the fields that do not arrive as they were sent.
func (c changes) lost() []string { return slices.Concat(c.removed, c.changed) }

// text lists the changes, the most harmful first.
func (c changes) text() string {
	var parts []string
	for _, each := range []struct {
		names []string
		what  string
	}{{c.removed, "taken out"}, {c.changed, "changed"}, {c.added, "added"}} {
		if len(each.names) == 0 {
			continue
		}
		verb := "were"
		if len(each.names) == 1 {
			verb = "was"
		}
		parts = append(parts, fmt.Sprintf("%s %s %s", list(each.names), verb, each.what))
	}
	if len(parts) == 0 {
		return "nothing was changed"
	}
	return strings.Join(parts, "; ")
}

// compare finds what was done to a header. Fields that are ordinary may be added.
func compare(left, arrived http.Header, ordinary []string) (c changes) {
	for name, values := range arrived {
		value := strings.Join(values, ", ")
		switch sent, isSent := left[name]; {
		case !isSent && !slices.Contains(ordinary, name):
			c.added = append(c.added, name)
		case isSent && value != "[hidden]" && !isSame(value, strings.Join(sent, ", ")):
			c.changed = append(c.changed, name)
		}
	}
	for name := range left {
		if _, arrives := arrived[name]; !arrives && !slices.Contains(fieldsOfAHop, name) {
			c.removed = append(c.removed, name)
		}
	}
	for _, names := range [][]string{c.added, c.removed, c.changed} {
		slices.Sort(names)
	}
	return c
}

// isSame compares two values. The server shows only the beginning and the end of a long one.
func isSame(one, other string) bool {
	return one == other || isCutOf(one, other) || isCutOf(other, one)
}

func isCutOf(short, long string) bool {
	head, tail, isCut := strings.Cut(short, "…")
	return isCut && len(long) >= len(head)+len(tail) && strings.HasPrefix(long, head) && strings.HasSuffix(long, tail)
}

// headerOf makes a header of what the server lists.
func headerOf(fields []headerField) http.Header {
	header := make(http.Header)
	for _, field := range fields {
		header.Add(field.Name, field.Value)
	}
	return header
}

func (e *examiner) adviseOnRequest(s *sample) Finding {
	var c changes
	if !s.isStored() { // a stored answer tells of another request
		c = compare(s.sent, headerOf(s.seen.RequestHeaders), ownFields)
	}
	f := Finding{"request-headers", Good, "Requests arrive unchanged", fmt.Sprintf("From this device to the server: %s.", c.text()), nothing, nil}
	switch lost := c.lost(); {
	case len(lost) > 0:
		f.Level, f.Title = Warn, "Parts of requests are lost on the way"
		if slices.Contains(lost, "Authorization") {
			f.Level = Bad
		}
		header := "headers"
		if len(lost) == 1 {
			header = "header"
		}
		f.Advice = say(keepHeaders, "header", header, "names", list(lost), "address", e.address)
	case len(c.added) > 0:
		f.Level, f.Title, f.Advice = Info, plural(len(c.added), "header")+" added to requests", proxiesName
	}
	return f
}

var hit = regexp.MustCompile(`(?i)\bhit\b`)

func (e *examiner) adviseOnResponse(s *sample) Finding {
	c := compare(headerOf(s.seen.ResponseHeaders), s.arrived.Header, fieldsOfAHop)
	lost := c.lost()
	harmful := slices.DeleteFunc(slices.Clone(lost), func(name string) bool { return name == "X-Accel-Buffering" }) // nginx obeys this header, and then takes it out
	age := s.arrived.Header.Get("Age")
	f := Finding{"response-headers", Good, "Answers arrive unchanged", fmt.Sprintf("From the server to this device: %s.", c.text()), nothing, nil}
	set := func(level Level, title, advice string) {
		f.Level, f.Title, f.Advice = level, title, say(advice, "address", e.address, "names", list(harmful))
	}
	switch {
	case s.isStored(), age != "" && age != "0", hit.MatchString(s.arrived.Header.Get("X-Cache")):
		set(Bad, "Answers come from a cache", unstore)
	case s.arrived.Uncompressed, slices.Contains(c.added, "Content-Encoding"):
		set(Warn, "Answers are compressed on the way", uncompress)
		f.Lines = lines[faultCompression]
	case slices.Contains(lost, "Cache-Control"):
		set(Warn, "Cache-Control is changed on the way", keepCacheControl)
	case len(harmful) > 0:
		set(Warn, "Parts of answers are changed on the way", keepAnswers)
	case len(lost) > 0:
		set(Info, "X-Accel-Buffering is taken out on the way", isObeyed)
	case len(c.added) > 0:
		set(Info, plural(len(c.added), "header")+" added to answers", proxiesName)
	}
	return f
}
