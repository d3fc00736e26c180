package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// The attacker shares the processors with the server and the honest clients, so it must
// cost little: it writes prepared bytes to bare connections. It does not parse streams,
// for the same reason.

// wire is a connection of the attacker.
type wire struct {
	net.Conn
	siege  *siege
	reader *bufio.Reader // made when the first answer is read
}

// dial opens a connection that lasts as long as the attack.
func (s *siege) dial() (*wire, error) { return s.dialFrom(attackerAddress) }

// dialFrom is dial from another address of this machine.
func (s *siege) dialFrom(address string) (*wire, error) {
	connection, err := dialAt(address)(s.attack, "tcp", s.host)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: connection, siege: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.attack.Err() != nil { // the other connections are closed already
		connection.Close()
		return nil, s.attack.Err()
	}
	deadline, _ := s.attack.Deadline()
	s.wires = append(s.wires, w)
	return w, connection.SetDeadline(deadline)
}

// dialers is how many connections an attacker opens at once. On a busy machine each takes
// long, so an attack that opens one after the other does not reach any limit.
const dialers = 16

// sayOnce opens a connection for one request, and never reads the answer.
func (s *siege) sayOnce(request string) { s.sayOnceFrom(attackerAddress, request) }

// sayOnceFrom is sayOnce from another address of this machine.
func (s *siege) sayOnceFrom(address, request string) {
	if w, err := s.dialFrom(address); err == nil {
		w.say(request)
	}
}

// Write implements io.Writer. It counts the bytes.
func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.siege.uploaded.Add(int64(n))
	return n, err
}

// say writes prepared bytes. It does not matter whether they arrive: the server may
// have closed the connection.
func (w *wire) say(text string) { _, _ = io.WriteString(w, text) }

// answer reads one whole answer.
func (w *wire) answer() (status int, body []byte, err error) {
	if w.reader == nil {
		w.reader = bufio.NewReader(w.Conn)
	}
	response, err := http.ReadResponse(w.reader, nil)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	if err == nil && response.Close {
		w.Close()
	}
	return response.StatusCode, body, err
}

// ignore reads all that comes and drops it, until the connection ends.
func (w *wire) ignore() {
	w.siege.running.Go(func() { _, _ = io.CopyBuffer(onlyWriter{}, w.Conn, make([]byte, 16<<10)) })
}

// onlyWriter drops what is written to it. It is not io.Discard, which would use a
// larger buffer of its own.
type onlyWriter struct{}

func (onlyWriter) Write(p []byte) (int, error) { return len(p), nil }

// openStream opens a stream, reads it up to its first event, and returns the token of
// that event. It fails if the server refused the stream.
func (w *wire) openStream(header string) (token string, err error) {
	w.say("GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n" + header + "\r\n")
	var text []byte
	for buffer := make([]byte, 1024); !bytes.Contains(text, []byte("\n\n")); {
		got, err := w.Read(buffer)
		text = append(text, buffer[:got]...)
		if err != nil {
			return "", err
		}
	}
	return tokenIn(text)
}

// tokenIn returns the token of a connected event.
func tokenIn(text []byte) (string, error) {
	_, rest, found := strings.Cut(string(text), `"token":"`)
	if !found || len(rest) < 22 {
		return "", errors.New("refused")
	}
	return rest[:22], nil
}

// asker sends one request after the other. It opens a new connection if the server has
// closed the last one.
type asker struct {
	siege   *siege
	address string
	wire    *wire
}

// ask returns the server's answer, or the status 0 if there was none.
func (a *asker) ask(request string) (status int, body []byte) {
	for range 2 { // the server may have closed the connection before it saw the request
		if a.wire == nil {
			var err error
			if a.wire, err = a.siege.dialFrom(a.address); err != nil {
				a.wire = nil
				return 0, nil
			}
		}
		a.wire.say(request)
		status, body, err := a.wire.answer()
		if err == nil {
			return status, body
		}
		a.wire.Close()
		a.wire = nil
	}
	return 0, nil
}

func (s *siege) asker() *asker { return &asker{siege: s, address: attackerAddress} }

// each calls do for all numbers below n. The given number of askers share the work. It
// stops when the attack is over.
func (s *siege) each(n, askers int, do func(a *asker, i int)) {
	var working sync.WaitGroup
	for from := range askers {
		working.Go(func() {
			a := s.asker()
			for i := from; i < n && s.attack.Err() == nil; i += askers {
				do(a, i)
			}
		})
	}
	working.Wait()
}

// get returns a request without a body. The header's lines end with CRLF.
func get(path, token, header string) string {
	if token != "" {
		header += "Authorization: Bearer " + token + "\r\n"
	}
	return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n"
}

func poll(token string, after int) string {
	return get(fmt.Sprintf("/events/poll?wait=0&after=%d", after), token, "")
}

// send returns a request that posts events.
func send(path, token, header, body string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer " + token + "\r\n" +
		header + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// joining returns an event that joins a room.
func joining(room string, n int, metadata string) string {
	if metadata != "" {
		metadata = `,"metadata":{"m":"` + metadata + `"}`
	}
	return fmt.Sprintf(`{"type":"join-room","roomId":"%s","userId":"%d"%s}`, room, n, metadata)
}

// batch returns a request that posts the same event several times.
func batch(token, event string, times int) string {
	return send("/events/batch", token, "", `{"events":[`+strings.Repeat(event+",", times-1)+event+`]}`)
}

// openByPolls opens each of n sockets by one poll, and returns the tokens of the
// sockets that the server opened.
func (s *siege) openByPolls(n int) (tokens []string) {
	found := make([]string, n)
	s.each(n, 4, func(a *asker, i int) {
		if _, body := a.ask(get("/events/poll?wait=0", "", "")); body != nil {
			found[i], _ = tokenIn(body)
		}
	})
	for _, token := range found {
		if token != "" {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// streaming is a socket with a stream of its own.
type streaming struct {
	token string
	wire  *wire
}

// openStream opens a socket with a stream, and reads only the first event.
func (a *asker) openStream() (streaming, error) {
	w, err := a.siege.dialFrom(a.address)
	if err != nil {
		return streaming{}, err
	}
	_ = w.Conn.(*net.TCPConn).SetReadBuffer(4 << 10) // so that little of the stream waits in the kernel
	token, err := w.openStream("")
	return streaming{token, w}, err
}

// openStreams opens n sockets with streams, and returns those that the server opened.
func (s *siege) openStreams(n int) (sockets []streaming) {
	found := make([]streaming, n)
	s.each(n, 4, func(a *asker, i int) {
		if socket, err := a.openStream(); err == nil {
			found[i] = socket
		}
	})
	for _, socket := range found {
		if socket.token != "" {
			sockets = append(sockets, socket)
		}
	}
	return sockets
}
