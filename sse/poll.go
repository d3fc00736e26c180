package sse

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"
)

// poll is one request for what stands behind a position: a reader of its
// socket's outbox that takes what is there, or waits until something is, and is
// done. Between polls nothing of a client is kept but its socket.
type poll struct {
	// set once
	socket   *socket
	response http.ResponseWriter
	deadline deadline
	ready    chan struct{} // holds a token when there is something to answer
	done     chan struct{} // closed when nothing more is written

	// owned by the handler's goroutine
	answered bool  // the whole answer is out
	failed   error // why it could not be written

	// guarded by socket.mu
	hello    *event // what a new socket hears first
	position uint64 // the last sequence that was taken
	skip     bool   // the rest of the outbox is another reader's, or nobody's
	ending   bool
	lastWord *event
}

func newPoll(s *socket, w http.ResponseWriter, resumed bool) *poll {
	p := &poll{
		socket:   s,
		response: w,
		deadline: deadline{control: http.NewResponseController(w)},
		ready:    make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	if !resumed {
		p.hello = newConnected(s, false)
	}
	return p
}

func (p *poll) transport() Transport { return OverPoll }

func (p *poll) start(position uint64) { p.position = position }

func (p *poll) beat(time.Time) {} // it answers in time, with nothing if need be

func (p *poll) advance() {
	if _, there := p.socket.outbox.after(p.position); there || p.hello != nil || p.ending {
		select {
		case p.ready <- struct{}{}:
		default: // it knows already
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

// close gives the connection back. A whole answer leaves it without a deadline,
// for what may be asked over it next; the end of any other is net/http's to write.
func (p *poll) close() {
	var at time.Time
	if !p.answered {
		at = time.Now().Add(p.socket.hub.options.WriteTimeout)
	}
	p.deadline.finish(at)
	close(p.done)
}

func (p *poll) isStalled() bool { return errors.Is(p.failed, os.ErrDeadlineExceeded) }

func (p *poll) gone() <-chan struct{} { return p.done }

// await returns when there is something to answer, or the wait is over. It is
// false when the client is gone before that. The server's WriteTimeout is not for
// the wait: an HTTP/2 stream ends by it even when nothing is being written.
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

// answer writes what there is. An answer that cannot be written was not given:
// what was in it is there for the next reader.
func (p *poll) answer() {
	body, taken := p.take()
	header := p.response.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(body.length()))
	header.Set("Cache-Control", "no-store")
	to := pieceWriter{p.response, &p.deadline, p.socket.hub.options.WriteTimeout, 0}
	if p.failed = body.writeTo(&to); p.failed == nil {
		p.failed = p.deadline.control.Flush()
	}
	if p.answered = p.failed == nil; p.answered {
		p.wrote(taken)
	}
}

// wrote notes that everything up to a sequence went out.
func (p *poll) wrote(taken uint64) {
	p.socket.mu.Lock()
	defer p.socket.mu.Unlock()
	if !p.skip {
		p.socket.wrote(taken)
	}
}

// take makes the answer's body, and returns up to which event of the outbox it
// goes.
func (p *poll) take() (body answerBody, taken uint64) {
	p.socket.mu.Lock()
	defer p.socket.mu.Unlock()
	add := func(e *event) { body.events = append(body.events, e) }
	if p.hello != nil {
		add(p.hello)
	}
	if !p.skip {
		p.position = p.socket.outbox.batch(p.position, add)
		p.socket.outbox.taken = p.position
	}
	if p.lastWord != nil && (p.skip || p.position == p.socket.outbox.last()) {
		add(p.lastWord)
	}
	body.end = append(make([]byte, 0, 64), `],"lastEventId":"`...)
	body.end = EventID{p.socket.token, p.position}.appendText(body.end)
	body.end = append(body.end, `"}`...)
	return body, p.position
}
