package modeltest

import (
	"net/http"
	"sync"

	"signaling-server/sse"
)

// parking parks the pipes of streams.
type parking struct{}

// CanPark implements sse.Parking.
func (parking) CanPark(_ http.ResponseWriter, r *http.Request) bool { return r.ContentLength == 0 }

// Park implements sse.Parking.
func (parking) Park(w http.ResponseWriter, _ *http.Request, s sse.Parkable) (sse.Parked, error) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	p := &parkedPipe{pipe: connection.(*pipe), stream: s}
	p.changed.L = &p.mu
	go p.send()   // ends when the stream has closed the pipe, and its client has read the rest
	go p.listen() // ends when the pipe is closed
	return p, nil
}

// parkedPipe is a pipe that never blocks. It takes nothing while its client does not read.
type parkedPipe struct {
	*pipe
	stream sse.Parkable

	mu       sync.Mutex // guards what follows
	changed  sync.Cond
	texts    [][]byte // that are on their way
	isClosed bool
}

// Write implements sse.Parked. It takes at most 1,000 bytes of a text.
func (p *parkedPipe) Write(text []byte) (int, error) {
	if isCovered, err := p.ear.isCovered(p.stream.Writable); isCovered || err != nil {
		return 0, err
	}
	taken := text[:min(len(text), 1000)]
	if len(taken) < len(text) {
		go p.stream.Writable()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = append(p.texts, append([]byte(nil), taken...))
	p.changed.Signal()
	return len(taken), nil
}

// Close implements sse.Parked. What was written still arrives.
func (p *parkedPipe) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isClosed = true
	p.changed.Signal()
}

func (p *parkedPipe) send() {
	defer p.pipe.Close()
	for {
		p.mu.Lock()
		for len(p.texts) == 0 && !p.isClosed {
			p.changed.Wait()
		}
		texts := p.texts
		p.texts = nil
		p.mu.Unlock()
		if len(texts) == 0 {
			return
		}
		for _, text := range texts {
			_, _ = p.Conn.Write(text) // if it fails, listen reports the end
		}
	}
}

func (p *parkedPipe) listen() {
	for text := make([]byte, 100); ; {
		if _, err := p.Read(text); err != nil {
			p.stream.Gone(nil)
			return
		}
	}
}
