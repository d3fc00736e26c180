package main

import (
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

// Placeholders, which a draft overwrites for each event.
const (
	anyTarget = "0000000000000000000000" // as long as a socket ID
	anyStamp  = "000000-00000000-000000000000000"
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
			e[member] = map[string]any{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host" + filler, "sdpMid": "0", "sdpMLineIndex": 0}
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
