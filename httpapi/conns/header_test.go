package conns_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
)

// serverWith is newServer, or does its handshakes through [conns.Guard.ListenTLS]. It
// speaks HTTP/1 and HTTP/2.
func serverWith(t *testing.T, encrypted bool, o conns.Options) *server {
	certified := httptest.NewTLSServer(nil)
	certified.Close()
	return newServerOn(t, o, func(h *httptest.Server, guard *conns.Guard) {
		h.Config.Protocols = new(http.Protocols)
		h.Config.Protocols.SetHTTP1(true)
		h.Config.Protocols.SetHTTP2(encrypted)
		h.Config.Protocols.SetUnencryptedHTTP2(!encrypted)
		if !encrypted {
			h.Listener = guard.Listen(h.Listener)
		} else {
			h.Listener = guard.ListenTLS(h.Listener, &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}})
		}
	})
}

// handshake speaks TLS over a connection.
func (c *client) handshake(t *testing.T, protocol string) *client {
	t.Helper()
	encrypted := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	require.NoError(t, encrypted.Handshake())
	return &client{encrypted, bufio.NewReader(encrypted)}
}

func (c *client) say(t *testing.T, text string) {
	t.Helper()
	_, err := c.Write([]byte(text))
	require.NoError(t, err)
}

// discard reads an answer.
func discard(reader *bufio.Reader) error {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// manyFields returns the shortest lines of a header.
func manyFields(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "%x:\n", i)
	}
	return text.String()
}

const beginning = "GET / HTTP/1.1\r\nHost: localhost\r\n"

// Before there was a bound, 4,000 headers of short lines took 346 MiB, and 1.6 GiB when
// each came behind another request.
func TestAHeaderWithTooManyFieldsEndsItsConnection(t *testing.T) {
	body := "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n[1,2]"
	for name, before := range map[string]string{"the first header": "", "a header behind a GET": beginning + "\r\n", "a header behind a POST": body} {
		for _, encrypted := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", TLS ", encrypted), func(t *testing.T) {
				s := serverWith(t, encrypted, conns.Options{})
				open := func() *client {
					c := s.dial(t, here)
					if encrypted {
						c = c.handshake(t, "http/1.1")
					}
					return c
				}
				c := open()
				c.say(t, before+beginning+manyFields(conns.MaxFields-10)+"\r\n")
				for range 1 + min(1, len(before)) {
					require.NoError(t, discard(c.reader))
				}
				require.Zero(t, s.count(conns.TooManyFields))

				_, _ = open().Write([]byte(before + beginning + manyFields(conns.MaxFields+1)))
				s.becomes(t, func(conns.Counts) bool { return s.count(conns.TooManyFields) == 1 })
				s.becomes(t, func(c conns.Counts) bool { return c.New+c.Active == 0 })
			})
		}
	}
}

func TestAnUnfinishedHeaderIsChargedUntilItIsComplete(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", encrypted), func(t *testing.T) {
			b := budget.New(64 << 20)
			s := serverWith(t, encrypted, conns.Options{Budget: b})
			c := s.dial(t, here)
			if encrypted {
				c = c.handshake(t, "http/1.1")
			}
			for range 2 { // the second header comes over an idle connection
				c.say(t, beginning+manyFields(100)+"Cookie: "+strings.Repeat("x", 10_000))
				s.becomes(t, func(n conns.Counts) bool { return b.Used() > conns.Cost+100*100+10_000 && n.New == 1 })
				c.say(t, "\r\n\r\n")
				require.NoError(t, discard(c.reader))
				s.becomes(t, func(n conns.Counts) bool { return n.Idle == 1 && b.Used() == conns.Cost })
			}
		})
	}
}

// What comes behind a request belongs to the next header. It is charged when the request
// is answered, even if nothing more comes.
func TestAHeaderBehindARequestIsCharged(t *testing.T) {
	b := budget.New(64 << 20)
	s := newServer(t, conns.Options{Budget: b})
	s.dial(t, here).say(t, beginning+"\r\n"+beginning+manyFields(100))
	s.becomes(t, func(n conns.Counts) bool { return n.New == 1 && b.Used() > conns.Cost+100*100 })
}

func TestIfTheBudgetHasNoRoomForAHeaderItsConnectionIsClosed(t *testing.T) {
	b := budget.New(40 * conns.Cost)
	s := newServer(t, conns.Options{Budget: b})
	neighbour := s.dial(t, there)
	var attackers []*client
	for range 10 {
		attackers = append(attackers, s.dial(t, here))
	}
	s.becomes(t, func(n conns.Counts) bool { return n.New == 11 })
	for _, attacker := range attackers {
		_, _ = attacker.Write([]byte(beginning + "Cookie: " + strings.Repeat("x", 60_000))) // the server may have closed it
	}
	s.becomes(t, func(conns.Counts) bool { return s.count(conns.HeaderMemory) > 0 })
	require.LessOrEqual(t, b.Used(), b.Limit()/2+conns.Cost, "an address has half of the budget")
	require.Equal(t, "false", neighbour.mustAsk(t, "/"))
}

func TestACompleteHeaderCostsNothing(t *testing.T) {
	b := budget.New(10 * conns.Cost)
	s := newServer(t, conns.Options{Budget: b})
	c := s.dial(t, here)
	c.say(t, beginning+manyFields(200)+"\r\n")
	require.NoError(t, discard(c.reader))
	c.mustAsk(t, "/hold")
	require.EqualValues(t, conns.Cost, b.Used())
}

// The guard does not know where a body ends, but its lines must not count as those of the next
// header.
func TestABodyMayHaveAnyBytes(t *testing.T) {
	bodies := map[string]string{
		"text":                  "0/01",
		"a line":                "a\n",
		"JSON":                  `{"a":1}`,
		"many lines":            strings.Repeat("a\n", 1000),
		"lines behind a buffer": strings.Repeat("x", 10_000) + "\n" + strings.Repeat("a\r\n", 300),
		"empty lines":           "\r\n\r\na\n\nb",
		"a header":              beginning + manyFields(300),
		"a whole request":       beginning + "\r\n",
		"TLS":                   "\x16\x03\x01",
		"HTTP/2":                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"binary":                "\x00\xff\n\x80\n",
	}
	for _, encrypted := range []bool{false, true} {
		for name, body := range bodies {
			for how, request := range map[string]string{
				"its length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body),
				"chunks":     fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body),
			} {
				t.Run(fmt.Sprint(name, " with ", how, ", TLS ", encrypted), func(t *testing.T) {
					b := budget.New(64 << 20)
					s := serverWith(t, encrypted, conns.Options{Budget: b})
					c := s.dial(t, here)
					if encrypted {
						c = c.handshake(t, "http/1.1")
					}
					head, rest, _ := strings.Cut("POST /body HTTP/1.1\r\nHost: localhost\r\n"+request, "\r\n\r\n")
					for _, pieces := range [][]string{{head + "\r\n\r\n" + rest}, {head + "\r\n\r\n", rest}} {
						for _, piece := range pieces {
							c.say(t, piece)
							s.becomes(t, func(n conns.Counts) bool { return n.New == 0 })
						}
						require.NoError(t, discard(c.reader))
						s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{Idle: 1} })
						require.Equal(t, "false", c.mustAsk(t, "/"))
						s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{Idle: 1} && b.Used() == conns.Cost })
					}
					require.Zero(t, s.count(conns.TooManyFields))
				})
			}
		}
	}
}

func TestLinesOfABodyAreNotFields(t *testing.T) {
	pretty := "{\n  \"events\": [\n" + strings.Repeat("    {\n      \"type\": \"ping\"\n    },\n", 500) + "]\n}"
	chunks := strings.Repeat("10\r\n[1,2,3,4,5,6,78]\r\n", 2000) + "0\r\n\r\n"
	s := newServer(t, conns.Options{})
	c := s.dial(t, here)
	for range 3 {
		for _, request := range []string{
			fmt.Sprintf("POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(pretty), pretty),
			"POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		} {
			c.say(t, request)
			require.NoError(t, discard(c.reader))
			require.Equal(t, "false", c.mustAsk(t, "/"))
		}
	}
}

func TestAConnectionOfHTTP2IsChargedForItsLargestHeader(t *testing.T) {
	for _, over := range []string{"TCP", "TLS of the guard", "TLS of net/http"} {
		t.Run(over, func(t *testing.T) {
			b := budget.New(64 << 20)
			o := conns.Options{Budget: b, MaxHeader: 16 << 10}
			var s *server
			if over == "TLS of net/http" {
				s = newServer(t, o, func(h *httptest.Server) { h.TLS, h.EnableHTTP2 = new(tls.Config), true })
			} else {
				s = serverWith(t, over != "TCP", o)
			}
			c := s.dial(t, here)
			if over != "TCP" {
				c = c.handshake(t, "h2")
			}
			for _, part := range []string{"P", "RI * HTTP/2.0\r\n\r\nSM\r", "\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"} {
				c.say(t, part)
			}
			s.becomes(t, func(conns.Counts) bool { return b.Used() >= conns.Cost+32<<10 })
			used := b.Used()
			for range 300 { // pings, with line ends
				c.say(t, "\x00\x00\x08\x06\x00\x00\x00\x00\x00\na\na\na\na")
			}
			s.becomes(t, func(n conns.Counts) bool { return n.Idle == 1 })
			require.Equal(t, used, b.Used())
			c.Close()
			s.becomes(t, func(conns.Counts) bool { return b.Used() == 0 })
		})
	}
}

// A listener must end, whatever its connections do.
func TestHandshakesEndWithTheListener(t *testing.T) {
	s := serverWith(t, true, conns.Options{})
	for range 3 {
		s.dial(t, here).say(t, "\x16\x03\x01")
	}
	s.becomes(t, func(n conns.Counts) bool { return n.New == 3 })
	_ = s.Listener.Close() // http.Server closes it, too, and only once without an error
	s.becomes(t, func(n conns.Counts) bool { return n == conns.Counts{} })
}

// There are never fewer lines than fields that net/http finds, however the bytes are
// divided.
func FuzzFieldLines(f *testing.F) {
	f.Add([]byte("a: b\r\nc: d\r\n e\r\n\r\n"), 3)
	f.Add([]byte("{\n\"a\": 1\n}a:\nb:\n"), 1)
	f.Add([]byte("a:\n\nb:\n\n"), 2)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		whole, last := conns.FieldLines(text)
		at = max(0, min(at, len(text)))
		parts, lastOfParts := conns.FieldLines(text[:at], text[at:])
		require.Equal(t, []int{whole, last}, []int{parts, lastOfParts})

		parsed, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(text))).ReadMIMEHeader()
		if err != nil {
			return
		}
		fields := 0
		for _, values := range parsed {
			fields += len(values)
		}
		require.LessOrEqual(t, fields, whole)
	})
}
