package conns

import (
	"bytes"
	"net"
	"net/http"
	"strconv"
	"time"
)

// answer is the answer to a plain request. It is sent when its handler has returned, with the
// bytes that net/http would send. There is one difference: net/http sends more than 2 KiB in
// chunks, because it does not know the length yet. An answer cannot be flushed or hijacked,
// and has neither trailers nor statuses below 200. One goroutine uses it.
type answer struct {
	home   *listener // of the connection
	header http.Header
	head   *bytes.Buffer // the status line, and the fields as they were when the handler said the status
	body   *bytes.Buffer

	status   int       // 0: the handler has not said it yet
	declared int       // the length of the body, as the handler says; -1: it does not
	written  int       // of the body, and what was too much
	isTyped  bool      // the content type must not be guessed
	isLast   bool      // the connection ends with this answer
	deadline time.Time // for sending the answer; zero: the server's
}

// Header implements [http.ResponseWriter].
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(status int) {
	if a.head == nil || a.status != 0 || status < http.StatusOK {
		return
	}
	a.status, a.declared = status, -1
	if text := a.header.Get("Content-Length"); text != "" { // an error would be an allocation
		if length, err := strconv.Atoi(text); err == nil {
			a.declared = length
		}
	}
	if a.home.isClosed() {
		a.header.Set("Connection", "close")
	}
	a.isLast = a.header.Get("Connection") == "close"
	_, a.isTyped = a.header["Content-Type"]
	a.isTyped = a.isTyped || a.header.Get("Content-Encoding") != ""

	code := strconv.Itoa(status)
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + code
	}
	a.head.WriteString(version + " " + code + " " + text + "\r\n")
	unsent := map[string]bool{"Transfer-Encoding": true, "Content-Length": !a.mayHaveBody()}
	_ = a.header.WriteSubset(a.head, unsent) // a buffer takes everything
	if _, isDated := a.header["Date"]; !isDated {
		a.head.WriteString("Date: ")
		a.head.Write(time.Now().UTC().AppendFormat(a.head.AvailableBuffer(), http.TimeFormat))
		a.head.WriteString("\r\n")
	}
}

func (a *answer) mayHaveBody() bool {
	return a.status != http.StatusNoContent && a.status != http.StatusNotModified
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(text []byte) (int, error) {
	a.WriteHeader(http.StatusOK) // unless the handler has said another status
	switch {
	case a.body == nil:
		return 0, net.ErrClosed
	case len(text) == 0:
		return 0, nil
	case !a.mayHaveBody():
		return 0, http.ErrBodyNotAllowed
	}
	if a.written += len(text); a.declared >= 0 && a.written > a.declared {
		return 0, http.ErrContentLength
	}
	return a.body.Write(text)
}

// finish returns the whole answer, after its handler has returned.
func (a *answer) finish() []byte {
	a.WriteHeader(http.StatusOK) // unless the handler has said a status
	if a.mayHaveBody() && a.declared < 0 {
		a.head.WriteString("Content-Length: ")
		a.head.Write(strconv.AppendInt(a.head.AvailableBuffer(), int64(a.body.Len()), 10))
		a.head.WriteString("\r\n")
	}
	if a.body.Len() > 0 && !a.isTyped {
		a.head.WriteString("Content-Type: " + http.DetectContentType(a.body.Bytes()) + "\r\n")
	}
	a.head.WriteString("\r\n")
	a.head.Write(a.body.Bytes())
	if a.mayHaveBody() && a.declared >= 0 && a.declared != a.written {
		a.isLast = true // the client cannot know what is the next answer
	}
	return a.head.Bytes()
}

// SetReadDeadline is for [http.ResponseController]. The whole request has been read.
func (*answer) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is for [http.ResponseController].
func (a *answer) SetWriteDeadline(at time.Time) error {
	a.deadline = at
	return nil
}
