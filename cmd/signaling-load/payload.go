package main

import (
	"bytes"
	"encoding/json"
	"strings"
)

// kind is the type of an event that clients send each other.
type kind int

const (
	offer kind = iota
	answer
	candidate
)

func (k kind) String() string { return [...]string{"offer", "answer", "ice-candidate"}[k] }

// Bytes of an event of each kind, which are usual for a call with audio and video.
const (
	descriptionBytes = 1200
	candidateBytes   = 200
)

// Placeholders, which a template overwrites for each event.
const (
	anyTarget = "0000000000000000000000" // as long as a socket ID
	anyStamp  = "00000000-0000000000-0000000000000000000"
)

// stampKey comes before the stamp in an event. Servers relay members that they do not
// know.
var stampKey = []byte(`"load":"`)

// event returns the JSON of an event with placeholders.
func (k kind) event() []byte {
	e := map[string]any{"type": k.String(), "target": anyTarget, "load": anyStamp}
	member, size := "candidate", candidateBytes
	var padded func(filler string)
	if k == candidate {
		padded = func(filler string) {
			e[member] = map[string]any{"candidate": "candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host " + filler, "sdpMid": "0", "sdpMLineIndex": 0}
		}
	} else {
		member, size = k.String(), descriptionBytes
		padded = func(filler string) {
			e[member] = map[string]any{"type": k.String(), "sdp": description + filler}
		}
	}
	padded("")
	padded(strings.Repeat("x", max(0, size-len(encoded(e)))))
	return encoded(e)
}

const description = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlHV\r\n" +
	"a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\na=mid:1\r\na=sendrecv\r\na=rtpmap:96 VP8/90000\r\na=x-filler:"

func encoded(e any) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return b
}

// A template is a request that is made once and sent many times. Each event in it has
// its own target and stamp.
type template struct {
	request []byte
	slots   []slot
}

// slot says where one event's target and stamp are in a request.
type slot struct {
	targets []int
	stamp   int
}

func newTemplate(request []byte) template {
	t := template{request: request}
	for from := 0; ; {
		i := bytes.Index(request[from:], stampKey)
		if i < 0 {
			return t
		}
		// The members are in the order of the alphabet: the stamp comes before the target.
		end := len(request)
		if next := bytes.Index(request[from+i+1:], stampKey); next >= 0 {
			end = from + i + 1 + next
		}
		s := slot{stamp: from + i + len(stampKey)}
		for at := from; ; {
			j := bytes.Index(request[at:end], []byte(anyTarget))
			if j < 0 {
				break
			}
			s.targets = append(s.targets, at+j)
			at += j + len(anyTarget)
		}
		t.slots = append(t.slots, s)
		from = end
	}
}

// fill writes the target and the stamp of the event in a slot.
func (t template) fill(i int, target string, s stamp) {
	for _, at := range t.slots[i].targets {
		copy(t.request[at:], target)
	}
	s.write(t.request[t.slots[i].stamp:])
}

// A stamp is what the generator writes into an event to know it again.
type stamp struct {
	sender int   // index of the sending client
	number int   // of the events from this sender to this receiver: 1, 2, 3 …
	sent   int64 // nanoseconds since the start
}

func (s stamp) write(to []byte) {
	digits(to[:8], int64(s.sender))
	digits(to[9:19], int64(s.number))
	digits(to[20:39], s.sent)
}

func digits(to []byte, n int64) {
	for i := len(to) - 1; i >= 0; i-- {
		to[i] = byte('0' + n%10)
		n /= 10
	}
}

// nextStamp finds the first stamp in data, and returns what comes after it.
func nextStamp(data []byte) (s stamp, rest []byte, found bool) {
	i := bytes.Index(data, stampKey)
	if i < 0 || len(data) < i+len(stampKey)+len(anyStamp) {
		return stamp{}, nil, false
	}
	data = data[i+len(stampKey):]
	return stamp{int(number(data[:8])), int(number(data[9:19])), number(data[20:39])}, data[len(anyStamp):], true
}

func number(digits []byte) (n int64) {
	for _, d := range digits {
		n = n*10 + int64(d-'0')
	}
	return n
}
