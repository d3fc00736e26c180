package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A protocol writes the requests of one client, each as the bytes of HTTP/1.1.
type protocol interface {
	// newID returns the ID of a client that connects, unless the server chooses it.
	newID() string
	// open opens a stream.
	open(c *client) []byte
	// poll asks for the events after a sequence.
	poll(c *client, after string) []byte
	// join joins the client's room.
	join(c *client) []byte
	// leave ends the client's socket; nil if the end of its stream does that.
	leave(c *client) []byte
	// heartbeat answers a heartbeat.
	heartbeat(c *client) []byte
	// events sends events of these types, one or a batch. Their targets and stamps are
	// placeholders.
	events(c *client, kinds []kind) []byte
}

// signaling is the protocol of docs/protocol.md.
type signaling struct {
	base         address
	accessSecret string // empty: the server demands no access tokens
	repeats      bool   // POSTs bear an Idempotency-Key
}

func (p signaling) newID() string { return "" }

func (p signaling) open(c *client) []byte {
	to := p.base
	if c.token != "" { // a resume
		to.headers += "Last-Event-ID: " + c.token + "." + strconv.FormatInt(c.sequence.Load(), 10) + "\r\n"
	}
	return request(to, "GET", "/events", c.token, "", nil)
}

func (p signaling) poll(c *client, after string) []byte {
	path := "/events/poll?wait=25"
	if after != "" {
		path += "&after=" + after
	}
	return request(p.base, "GET", path, c.token, "", nil)
}

func (p signaling) join(c *client) []byte {
	event := map[string]string{"type": "join-room", "roomId": c.room.name, "userId": c.user}
	if p.accessSecret != "" {
		event["accessToken"] = p.accessToken(c)
	}
	return p.post(c, "/events", encoded(event))
}

// accessToken returns a token for the client's room: see docs/access-tokens.md.
func (p signaling) accessToken(c *client) string {
	claims := jwt.MapClaims{"sub": c.user, "room": c.room.name, "exp": time.Now().Add(24 * time.Hour).Unix()}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(p.accessSecret))
	if err != nil {
		panic(err) // the key is bytes, and the claims are texts and numbers
	}
	return token
}

func (p signaling) leave(c *client) []byte {
	return p.post(c, "/events", []byte(`{"type":"disconnect"}`))
}

func (p signaling) heartbeat(c *client) []byte {
	return p.post(c, "/events", []byte(`{"type":"heartbeat"}`))
}

func (p signaling) events(c *client, kinds []kind) []byte {
	if len(kinds) == 1 {
		return p.post(c, "/events", kinds[0].event())
	}
	all := make([][]byte, len(kinds))
	for i, k := range kinds {
		all[i] = k.event()
	}
	return p.post(c, "/events/batch", slices.Concat([]byte(`{"events":[`), bytes.Join(all, []byte(",")), []byte("]}")))
}

func (p signaling) post(c *client, path string, body []byte) []byte {
	position := make([]byte, len(anyPosition))
	writePosition(position, c.sequence.Load())
	to := p.base
	to.headers += "Last-Event-ID: " + c.token + "." + string(position) + "\r\n"
	if p.repeats {
		key := []byte(anyKey)
		digits(key, c.keys.Add(1))
		to.headers += keyHeader + string(key) + "\r\n"
	}
	return request(to, "POST", path, c.token, "application/json", body)
}

// floor is the protocol of internal/bench/floor. The client chooses its ID, and the query
// has everything but the event.
type floor struct {
	base address
	ids  *atomic.Uint64
}

// newID returns an ID that is as long as a socket ID.
func (p floor) newID() string { return fmt.Sprintf("%011d%011d", os.Getpid(), p.ids.Add(1)) }

func (p floor) open(c *client) []byte {
	return request(p.base, "GET", "/events?id="+c.id, "", "", nil)
}

func (p floor) poll(*client, string) []byte { panic("the flags allow no polls with the floor") }

func (p floor) heartbeat(*client) []byte { panic("the flags allow no heartbeats with the floor") }

func (p floor) leave(*client) []byte { return nil }

func (p floor) join(c *client) []byte {
	return request(p.base, "POST", "/events?join="+c.room.name+"&from="+c.id+"&user="+c.user, "", "", nil)
}

func (p floor) events(c *client, kinds []kind) []byte {
	return request(p.base, "POST", "/events?from="+c.id+"&to="+anyTarget+"&ev="+kinds[0].String(), "", "application/json", kinds[0].event())
}

// address is where requests go, and what they have in common.
type address struct{ path, headers string }

func newAddress(server *url.URL, asBrowser bool) address {
	headers := "Host: " + server.Host + "\r\n"
	if !asBrowser {
		return address{server.Path, headers + "User-Agent: signaling-load\r\n"}
	}
	origin := server.Scheme + "://" + server.Host
	return address{server.Path, headers +
		"Connection: keep-alive\r\n" +
		"sec-ch-ua-platform: \"Linux\"\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\", \"Google Chrome\";v=\"140\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\n" +
		"Accept: */*\r\n" +
		"Origin: " + origin + "\r\n" +
		"Sec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: cors\r\n" +
		"Sec-Fetch-Dest: empty\r\n" +
		"Referer: " + origin + "/\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-US,en;q=0.9\r\n"}
}

// request returns the bytes of a request.
func request(to address, method, path, token, contentType string, body []byte) []byte {
	b := make([]byte, 0, 1024+len(path)+len(body))
	b = append(b, method+" "+to.path+path+" HTTP/1.1\r\n"+to.headers...)
	if token != "" {
		b = append(b, "Authorization: Bearer "+token+"\r\n"...)
	}
	if contentType != "" {
		b = append(b, "Content-Type: "+contentType+"\r\n"...)
	}
	if method == "POST" {
		b = strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	return append(append(b, "\r\n"...), body...)
}
