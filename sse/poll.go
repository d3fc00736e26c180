package sse

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// poll is the reader of one request for the events after a position. It takes the
// events that are there, or waits for one, and then it is done. Between its polls, the
// only thing that the server keeps of a client is its socket.
type poll struct {
	// set once
	socket   *socket
	token    Token
	response http.ResponseWriter
	deadline deadline      // has a lock of its own
	ready    chan struct{} // holds a value when there is something to answer
	done     chan struct{} // closed when the poll writes nothing more

	// owned by the handler's goroutine
	answered bool  // the whole answer was written
	failed   error // why the answer could not be written

	// guarded by socket.mu
	hello    *event // connected, if the socket is new
	position uint64 // highest sequence that was taken
	skip     bool   // the rest of the outbox is for another reader, or for nobody
	ending   bool   // the poll must answer at once
	lastWord *event // the last event of the answer, or nil
}

func newPoll(s *socket, token Token, w http.ResponseWriter, resumed bool) *poll {
	p := &poll{
		socket:   s,
		token:    token,
		response: w,
		deadline: deadline{control: http.NewResponseController(w)},
		ready:    make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	if !resumed {
		p.hello = newConnected(s, token, false)
	}
	return p
}

func (p *poll) transport() Transport { return OverPoll }

func (p *poll) bytes() int { return pollBytes }

func (p *poll) start(position uint64) { p.position = position }

// beat sends nothing: a poll is never silent for long, because it answers when its wait is
// over. But its client may be lost.
func (p *poll) beat(now time.Duration) (again time.Duration) {
	return now + p.socket.hub.options.HeartbeatInterval
}

func (p *poll) advance() {
	if _, _, there := p.socket.outbox.after(p.position); there || p.hello != nil || p.ending {
		select {
		case p.ready <- struct{}{}:
		default: // it is ready already
		}
	}
}

func (p *poll) end(skip bool, lastWord *event, limit time.Duration) {
	p.skip = p.skip || skip
	p.ending = true
	p.lastWord = lastWord
	p.deadline.hurry(time.Now().Add(limit))
	p.advance()
}

// close gives the connection back to net/http. After a whole answer the connection has no
// deadline: it may carry the next request. After any other answer, net/http still writes
// the response's end, and has the write timeout for it.
func (p *poll) close() {
	var at time.Time
	if !p.answered {
		at = time.Now().Add(p.socket.hub.options.WriteTimeout)
	}
	p.deadline.finish(at)
	close(p.done)
}

func (p *poll) isStalled() bool { return hasTimedOut(p.failed) }

func (p *poll) gone() <-chan struct{} { return p.done }

// await returns true when there is something to answer, or when the wait is over. It
// returns false if the client goes first. The connection has no write deadline
// meanwhile: an HTTP/2 stream would end at the deadline even if nothing is being
// written.
func (p *poll) await(ctx context.Context, wait time.Duration) bool {
	p.deadline.set(time.Time{})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-p.ready:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}

// answer writes the events that are there. If that fails, they do not count as written,
// and stay in the outbox for the next reader.
func (p *poll) answer() {
	body, taken := p.take()
	header := p.response.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(body.length()))
	header.Set("Cache-Control", "no-store")
	to := newPieceWriter(p.response, &p.deadline, p.socket)
	if p.failed = body.writeTo(&to); p.failed == nil {
		p.failed = p.deadline.control.Flush()
	}
	if p.answered = p.failed == nil; p.answered {
		p.wrote(taken)
	}
}

// wrote notes that everything up to a sequence was written.
func (p *poll) wrote(taken uint64) {
	p.socket.mu.Lock()
	defer p.socket.mu.Unlock()
	if !p.skip {
		p.socket.wrote(taken)
	}
}

// take makes the answer's body. It also returns the sequence of the last event of the
// outbox that is in it.
func (p *poll) take() (body answerBody, taken uint64) {
	p.socket.mu.Lock()
	defer p.socket.mu.Unlock()
	add := func(e *event) { body.events = append(body.events, e) }
	if p.hello != nil {
		add(p.hello)
	}
	if !p.skip {
		p.position = p.socket.outbox.batch(p.position, add)
		p.socket.hand(p.position)
	}
	if p.lastWord != nil && (p.skip || p.position == p.socket.outbox.last) {
		add(p.lastWord)
	}
	body.end = append(make([]byte, 0, 64), `],"lastEventId":"`...)
	body.end = EventID{p.token, p.position}.appendText(body.end)
	body.end = append(body.end, `"}`...)
	return body, p.position
}
