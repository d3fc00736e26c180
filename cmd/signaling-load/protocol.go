package main

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
)

// A protocol writes the requests of one client, each as the bytes of HTTP/1.1.
type protocol interface {
	// open opens a stream.
	open(c *client) []byte
	// poll asks for the events after a sequence.
	poll(c *client, after string) []byte
	// join joins the client's room.
	join(c *client) []byte
	// events sends events of these types, one or a batch. Their targets and stamps are
	// placeholders.
	events(c *client, kinds []kind) []byte
}

// signaling is the protocol of docs/protocol.md.
type signaling struct{ base *url.URL }

func (p signaling) open(c *client) []byte {
	return request(p.base, "GET", "/events", c.token, "", nil)
}

func (p signaling) poll(c *client, after string) []byte {
	path := "/events/poll?wait=25"
	if after != "" {
		path += "&after=" + after
	}
	return request(p.base, "GET", path, c.token, "", nil)
}

func (p signaling) join(c *client) []byte {
	body := fmt.Appendf(nil, `{"type":"join-room","roomId":%q,"userId":%q}`, c.room.name, c.user)
	return request(p.base, "POST", "/events", c.token, "application/json", body)
}

func (p signaling) events(c *client, kinds []kind) []byte {
	if len(kinds) == 1 {
		return request(p.base, "POST", "/events", c.token, "application/json", kinds[0].event())
	}
	all := make([][]byte, len(kinds))
	for i, k := range kinds {
		all[i] = k.event()
	}
	body := append([]byte(`{"events":[`), bytes.Join(all, []byte(","))...)
	return request(p.base, "POST", "/events/batch", c.token, "application/json", append(body, "]}"...))
}

// floor is the protocol of the bare server that make bench compares with: the client
// chooses its ID, and all but the event is in the query.
type floor struct{ base *url.URL }

func (p floor) open(c *client) []byte {
	return request(p.base, "GET", "/events?id="+c.id, "", "", nil)
}

func (p floor) poll(*client, string) []byte { panic("the floor has no polls") }

func (p floor) join(c *client) []byte {
	return request(p.base, "POST", "/events?join="+c.room.name+"&from="+c.id+"&user="+c.user, "", "", nil)
}

func (p floor) events(c *client, kinds []kind) []byte {
	return request(p.base, "POST", "/events?from="+c.id+"&to="+anyTarget+"&ev="+kinds[0].String(), "", "application/json", kinds[0].event())
}

// request returns the bytes of a request, with the headers that every client sends.
func request(base *url.URL, method, path, token, contentType string, body []byte) []byte {
	b := make([]byte, 0, 256+len(path)+len(body))
	b = append(b, method+" "+base.Path+path+" HTTP/1.1\r\nHost: "+base.Host+"\r\nUser-Agent: signaling-load\r\n"...)
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
