package httpapi

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDecodeOffer tells what it costs to decode, validate and prepare for
// the way on an offer of 1.2 KB, as a browser writes it.
func BenchmarkDecodeOffer(b *testing.B) {
	sdp := strings.Repeat(`a=rtpmap:96 VP8/90000\r\n`, 48)
	body := fmt.Appendf(nil, `{"type":"offer","target":"AAAAAAAAAAAAAAAAAAAAAA","offer":{"type":"offer","sdp":"%s"}}`, sdp)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := clientEvents.decode(body); err != nil {
			b.Fatal(err)
		}
	}
}
