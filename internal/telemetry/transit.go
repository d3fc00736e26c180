package telemetry

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// The exporters of OpenTelemetry for HTTP link gRPC and its gateway, which are 7 MB in the binary.
// The rest of what they do is here, by section "OTLP/HTTP" of the specification OTLP 1.x.

const (
	// firstPause is how long an export waits before its second attempt. Each further pause is
	// twice as long.
	firstPause = time.Second
	maxPause   = 16 * time.Second
	// maxReply is how many bytes of an answer are read.
	maxReply = 64 << 10
)

// transit sends requests to a collector.
type transit struct {
	// set once
	client  *http.Client
	headers map[string]string
	gzip    bool
	timeout time.Duration

	ctx      context.Context // ends when nothing more is sent
	stop     context.CancelFunc
	patience context.Context // ends when nothing is sent a second time
	hurry    context.CancelFunc
}

func newTransit(o Options) *transit {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS
	t := &transit{headers: o.Headers, gzip: o.Gzip, timeout: cmp.Or(o.Timeout, 10*time.Second)}
	t.client = &http.Client{
		Transport: transport,
		// A redirect would carry the headers to an address that nobody has named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.patience, t.hurry = context.WithCancel(t.ctx)
	return t
}

// send sends a message, as often as it takes until ctx is done. It returns how many of its
// items the collector has rejected for good.
func (t *transit) send(ctx context.Context, to string, m proto.Message) (rejected int, err error) {
	body, err := t.encode(m)
	if err != nil {
		return 0, err
	}
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		var after time.Duration
		var mayRetry bool
		rejected, after, mayRetry, err = t.attempt(ctx, to, body)
		if err == nil || !mayRetry || !t.rest(ctx, max(pause, after)) {
			return rejected, err
		}
	}
}

// rest waits before the next attempt. It returns false if there must be none.
func (t *transit) rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-t.patience.Done():
	}
	return false
}

func (t *transit) encode(m proto.Message) ([]byte, error) {
	body, err := proto.Marshal(m)
	if err != nil || !t.gzip {
		return body, err
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(body) // a buffer takes everything
	err = writer.Close()
	return packed.Bytes(), err
}

// attempt sends a body once. The error names no path and no query of the address, which may be
// secret.
func (t *transit) attempt(ctx context.Context, to string, body []byte) (rejected int, after time.Duration, mayRetry bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, 0, false, withoutURL(err)
	}
	for name, value := range t.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if t.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := t.client.Do(r)
	if err != nil {
		return 0, 0, true, withoutURL(err)
	}
	defer answer.Body.Close()
	reply, _ := io.ReadAll(io.LimitReader(answer.Body, maxReply)) // what is cut off says nothing
	switch code := answer.StatusCode; code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.ParseUint(answer.Header.Get("Retry-After"), 10, 16)
		return 0, time.Duration(seconds) * time.Second, true, fmt.Errorf("the collector answers %d", code)
	default:
		if code/100 != 2 {
			return 0, 0, false, fmt.Errorf("the collector answers %d", code)
		}
	}
	return rejectedIn(reply), 0, false, nil
}

// withoutURL returns an error of an HTTP client without the address.
func withoutURL(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// rejectedIn returns how many items an answer says that the collector has rejected. It reads
// Export*ServiceResponse.partial_success.rejected_*: for all signals both have the number 1.
func rejectedIn(reply []byte) int {
	partial, _ := fieldOf(reply, protowire.BytesType)
	_, rejected := fieldOf(partial, protowire.VarintType)
	return int(min(rejected, maxWaiting))
}

// fieldOf returns the value of field 1 in a message, if it has the type.
func fieldOf(message []byte, want protowire.Type) (text []byte, number uint64) {
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil, 0
		}
		message = message[n:]
		if field == 1 && kind == want {
			if want == protowire.BytesType {
				text, _ = protowire.ConsumeBytes(message)
			} else {
				number, _ = protowire.ConsumeVarint(message)
			}
			return text, number
		}
		if n = protowire.ConsumeFieldValue(field, kind, message); n < 0 {
			return nil, 0
		}
		message = message[n:]
	}
	return nil, 0
}
