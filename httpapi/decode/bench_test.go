package decode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Bodies as browsers write them.
const (
	candidateBody = `{"type":"ice-candidate","target":"AAAAAAAAAAAAAAAAAAAAAA","candidate":{"candidate":"candidate:842163049 1 udp 16777 203.0.113.7 46154 typ srflx ufrag EsAw","sdpMid":"0","sdpMLineIndex":0}}`
	signalBody    = `{"type":"signal","target":"AAAAAAAAAAAAAAAAAAAAAA","data":{"kind":"mute","track":"audio","isMuted":true}}`
	joinBody      = `{"type":"join-room","roomId":"standup","userId":"alice","metadata":{"name":"Alice","avatar":7},"requestId":"1"}`
)

// offerBody is an offer of 1.2 KB.
var offerBody = `{"type":"offer","target":"AAAAAAAAAAAAAAAAAAAAAA","offer":{"type":"offer","sdp":"` + strings.Repeat(`a=rtpmap:96 VP8/90000\r\n`, 48) + `"}}`

// BenchmarkDecodeOffer measures what it costs to decode and validate an offer, and to find
// its members for the receiver.
func BenchmarkDecodeOffer(b *testing.B) { benchmarkDecode(b, offerBody) }

// BenchmarkDecodeEvent measures the same for shorter events.
func BenchmarkDecodeEvent(b *testing.B) {
	for name, body := range map[string]string{"candidate": candidateBody, "signal": signalBody, "join": joinBody, "ping": `{"type":"ping"}`} {
		b.Run(name, func(b *testing.B) { benchmarkDecode(b, body) })
	}
}

func benchmarkDecode(b *testing.B, text string) {
	body := []byte(text)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := ClientEvents.Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeBatch measures a batch of 20 candidates.
func BenchmarkDecodeBatch(b *testing.B) {
	body := []byte(`{"events":[` + candidateBody + strings.Repeat(","+candidateBody, 19) + `]}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		batch, err := ParseBatch(body, 20)
		if err != nil {
			b.Fatal(err)
		}
		for event := range batch.All() {
			if _, _, err := ClientEvents.Read(event); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// worstBodies are the bodies that take the most time to read, for their length.
var worstBodies = map[string]func(size int) string{
	"members": func(n int) string { return `{"type":"ping"` + strings.Repeat(`,"":1`, n/5) + "}" },
	"lookalikes": func(n int) string {
		return `{"type":"ping"` + strings.Repeat(`,"`+strings.Repeat("K", n/63)+`":1`, 62) + "}"
	},
	"quotes":      func(n int) string { return `{"type":"signal","data":"` + strings.Repeat(`\"`, n/2) + `"}` },
	"backslashes": func(n int) string { return `{"type":"signal","data":"` + strings.Repeat(`\\`, n/2) + `"}` },
	"strings":     func(n int) string { return `{"type":"signal","data":[""` + strings.Repeat(`,""`, n/3) + `]}` },
	"spaces":      func(n int) string { return `{"type":"signal","data":[1` + strings.Repeat(" ,1", n/3) + `]}` },
	"depth": func(n int) string {
		return `{"type":"signal","data":[1` + strings.Repeat(","+strings.Repeat("[", 97)+strings.Repeat("]", 97), n/195) + `]}`
	},
	"inner members": func(n int) string {
		return `{"type":"offer","target":"x","offer":{"type":"offer","sdp":"x"` + strings.Repeat(`,"type":"offer"`, n/15) + `}}`
	},
	"candidate": func(n int) string {
		return `{"type":"ice-candidate","target":"x","candidate":{"sdpMid":"x"` + strings.Repeat(`,"sdpMid":""`, n/12) + `}}`
	},
	"escapes":    func(n int) string { return `{"type":"send-message","message":"` + strings.Repeat(`\u003c`, n/6) + `"}` },
	"surrogates": func(n int) string { return `{"type":"send-message","message":"` + strings.Repeat(`\ud83d`, n/6) + `"}` },
	"nothing":    func(n int) string { return strings.Repeat(" ", n) },
	"open":       func(n int) string { return strings.Repeat("[", n) },
	"batch of 2": func(n int) string {
		return `{"events":[{"type":"ping"},{"type":"ping"` + strings.Repeat(`,"":1`, n/5) + `}]}`
	},
	"batch": func(n int) string { return `{"events":[` + strings.Repeat("1,", n/2) + `1]}` },
}

// BenchmarkDecodeWorst shows that the time is linear in the length of the body: the
// throughput of each body is the same whatever its size.
func BenchmarkDecodeWorst(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(worstBodies)) {
		for _, size := range []int{16, 32, 64} {
			body := []byte(worstBodies[name](size << 10))
			b.Run(fmt.Sprintf("%s/%dKiB", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if strings.HasPrefix(name, "batch") {
						_, _ = ParseBatch(body, 64)
					} else {
						_, _, _ = ClientEvents.Decode(body)
					}
				}
			})
		}
	}
}
