package conns

import (
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

const (
	// maxPlain is how many bytes a plain request may have, with its body.
	maxPlain = 8 << 10
	// maxPlainFields is how many fields it may have.
	maxPlainFields = 64
)

const version = "HTTP/1.1"

// byRequestLine returns targets by the only request line that is plain for each.
func byRequestLine(targets []string) map[string]string {
	all := make(map[string]string)
	for _, target := range targets {
		all[http.MethodPost+" "+target+" "+version] = target
	}
	return all
}

// exchange is one plain request and its answer. A handler may keep what it gets, as with
// net/http. So an exchange is not used again, and its text is a copy of what was read.
type exchange struct {
	request http.Request
	url     url.URL
	header  int // how many bytes it has
	body    plainBody
	answer  answer
}

// forget forgets the buffers of an exchange that has ended. Its handler must not read or write
// any more, but might.
func (x *exchange) forget() {
	x.body.Close()
	x.answer.head, x.answer.body = nil, nil
}

// readPlain reads the header of a plain request: a POST to one of the targets that is strictly
// in order. The body may still be on its way, but nothing may be behind it. The request is as
// net/http makes it of the same bytes, and has what all requests of its connection share. If
// there is any doubt, readPlain returns nil: net/http has to judge.
func readPlain(text []byte, shared *http.Request, targets map[string]string) *exchange {
	line, rest, _ := bytes.Cut(text, []byte("\r\n"))
	target, isPlain := targets[string(line)]
	end := bytes.Index(rest, []byte("\r\n\r\n"))
	if !isPlain || end < 0 {
		return nil
	}
	x := &exchange{request: *shared, url: url.URL{Path: target}, header: len(text) - len(rest) + end + len("\r\n\r\n")}
	r := &x.request
	r.Method, r.RequestURI, r.URL = http.MethodPost, target, &x.url
	r.Proto, r.ProtoMajor, r.ProtoMinor = version, 1, 1
	if !x.readFields(string(rest[:end+2])) || !x.readLength() || len(text) > x.size() {
		return nil
	}
	return x
}

// size returns how many bytes a request has, with its body.
func (x *exchange) size() int { return x.header + int(x.request.ContentLength) }

// readFields reads the fields of the header. Each line ends with CR and LF.
func (x *exchange) readFields(lines string) bool {
	count := strings.Count(lines, "\n") // faster than counting "\r\n"
	if count > maxPlainFields {
		return false
	}
	r, values := &x.request, make([]string, count)
	r.Header = make(http.Header, count)
	for i := range count {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, isField := strings.Cut(line, ":")
		if !isField || name == "" || !consistsOf(name, inName) || !consistsOf(value, inValue) {
			return false
		}
		name, value = http.CanonicalHeaderKey(name), textproto.TrimString(value)
		if r.Header[name] != nil || isSpecial(name) || name == "Connection" && !strings.EqualFold(value, "keep-alive") {
			return false
		}
		if name == "Host" {
			if value == "" || r.Host != "" || !consistsOf(value, inHost) {
				return false
			}
			r.Host = value
			continue
		}
		values[i] = value
		r.Header[name] = values[i : i+1 : i+1]
	}
	return r.Host != ""
}

// isSpecial reports whether net/http or a proxy may do more with a field than to pass it on.
// Host, Connection and Content-Length are not among these fields.
func isSpecial(name string) bool {
	switch name {
	case "Expect", "Http2-Settings", "Pragma", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Proxy-")
}

// readLength reads how long the body is.
func (x *exchange) readLength() bool {
	length, err := strconv.ParseUint(x.request.Header.Get("Content-Length"), 10, 16) // takes digits only
	x.request.ContentLength = int64(length)
	return err == nil && x.size() <= maxPlain
}

// setBody gives a request its body, when the whole request has come.
func (x *exchange) setBody(text []byte) {
	x.request.Body = http.NoBody
	if len(text) > x.header {
		x.body.left = text[x.header:]
		x.request.Body = &x.body
	}
}

// plainBody is a body that has arrived as a whole. One goroutine uses it.
type plainBody struct {
	left   []byte
	closed bool
}

// Read implements [io.Reader]. It copies, so nobody else refers to the memory of the body.
func (b *plainBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	n := copy(p, b.left)
	if b.left = b.left[n:]; len(b.left) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// Close implements [io.Closer].
func (b *plainBody) Close() error {
	b.left, b.closed = nil, true
	return nil
}

// class is a set of bytes.
type class uint8

const (
	inName  class = 1 << iota // of the name of a field; fewer than in a token (RFC 9110, 5.6.2)
	inValue                   // of the value of a field; fewer than in RFC 9110, 5.5
	inHost                    // of Host
)

var classes = func() (all [256]class) {
	for b := range all {
		switch b := byte(b); {
		case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b == '-':
			all[b] = inName | inValue | inHost
		case b == '.', b == ':', b == '[', b == ']':
			all[b] = inValue | inHost
		case b >= ' ' && b <= '~', b == '\t':
			all[b] = inValue
		}
	}
	return all
}()

// consistsOf reports whether all bytes of a text are in a class.
func consistsOf(text string, c class) bool {
	for i := range len(text) {
		if classes[text[i]]&c == 0 {
			return false
		}
	}
	return true
}
