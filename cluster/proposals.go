package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"signaling-server/machine"
)

const (
	// maxRecord is how many bytes of commands one record carries, if it has more than one.
	maxRecord = 256 << 10
	// maxProposed is how many commands wait that nobody waits for. More are dropped: the node
	// proposes again what is still due.
	maxProposed = 1 << 16
	// maxGathered is for how many commands of a record a node gathers the next: see Times.Gather.
	maxGathered = 16
	// appendAgain is how long a node waits before it appends a record again.
	appendAgain = 50 * time.Millisecond
)

// proposals are the commands that wait for the next record, and the record that is under way.
type proposals struct {
	wake chan struct{} // holds a value when something waits

	mu       sync.Mutex // guards what follows
	waiting  []proposal
	proposed int                  // how many of them nobody waits for
	since    time.Time            // when the append under way began; zero: none is
	sent     map[uint64][]*waiter // by record: what waits for it
	closed   bool                 // this node stops: nothing is appended any more
}

// proposal is a command, in bytes.
type proposal struct {
	text   []byte
	waiter *waiter // nil: nobody waits
}

// waiter waits for the result of a command.
type waiter struct {
	mayLeave bool          // its request may go to another node at once: only a POST waits for its fate
	done     chan struct{} // closed when there is a result or an error
	result   machine.Result
	err      error

	// for the span of its request
	sent   time.Time // when the append of its record began; zero: it never did
	record uint64    // the sequence of the record in the log; 0: it is not known
}

func (w *waiter) end(result machine.Result, err error) {
	w.result, w.err = result, err
	close(w.done)
}

// submit adds a command for the next record. If this node stops, its waiter has the error
// already.
func (p *proposals) submit(c *machine.Command) *waiter {
	w := &waiter{mayLeave: c.Post == nil && c.Operation == nil, done: make(chan struct{})}
	if !p.add(proposal{c.Append(nil), w}) {
		w.end(machine.Result{}, machine.ErrNotReady)
	}
	return w
}

// propose adds a command that nobody waits for, unless too many wait.
func (p *proposals) propose(c *machine.Command) { p.add(proposal{text: c.Append(nil)}) }

// add adds a command, and reports whether it has.
func (p *proposals) add(one proposal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	isProposed := one.waiter == nil
	if p.closed || isProposed && p.proposed >= maxProposed {
		return false
	}
	if isProposed {
		p.proposed++
	}
	p.waiting = append(p.waiting, one)
	select {
	case p.wake <- struct{}{}:
	default: // a value waits already
	}
	return true
}

// take takes the commands for one record.
func (p *proposals) take() (taken []proposal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := 0
	for len(taken) < len(p.waiting) {
		next := p.waiting[len(taken)]
		if size += len(next.text); size > maxRecord && len(taken) > 0 {
			break
		}
		taken = p.waiting[:len(taken)+1]
	}
	p.waiting = append([]proposal(nil), p.waiting[len(taken):]...)
	for _, one := range taken {
		if one.waiter == nil {
			p.proposed--
		}
	}
	return taken
}

// begin notes that a record is under way, and what waits for it.
func (p *proposals) begin(number uint64, taken []proposal) {
	now, waiters := time.Now(), make([]*waiter, len(taken))
	for i, one := range taken {
		if waiters[i] = one.waiter; one.waiter != nil {
			one.waiter.sent = now
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[number] = waiters
	p.since = now
}

// appended notes that no record is under way.
func (p *proposals) appended() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since = time.Time{}
}

// isSent reports whether a record was appended and is not applied yet.
func (p *proposals) isSent(number uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, isSent := p.sent[number]
	return isSent
}

// applied returns what waits for a record that is being applied, by the places of its commands.
func (p *proposals) applied(number uint64) []*waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiters := p.sent[number]
	delete(p.sent, number)
	return waiters
}

// forsake releases what waits for records that were appended: this node does not see what becomes
// of them.
func (p *proposals) forsake() {
	p.release(machine.ErrUnknown, func(*waiter) bool { return true })
}

// forget is forsake for a node that begins with a snapshot: that may have the records, so the node
// may never apply them.
func (p *proposals) forget() {
	p.mu.Lock()
	sent := p.sent
	p.sent = make(map[uint64][]*waiter)
	p.mu.Unlock()
	for _, waiters := range sent {
		for _, w := range waiters {
			if w != nil {
				w.end(machine.Result{}, machine.ErrUnknown)
			}
		}
	}
}

// sendAway refuses streams and polls that wait: their clients must get to another node within
// their resume windows. If such a record is applied later, what it attaches is detached again.
// POSTs wait for their fate.
func (p *proposals) sendAway() {
	p.release(machine.ErrNotReady, func(w *waiter) bool { return w.mayLeave })
}

// release ends some of those that wait for records that were appended. The records may still be
// applied.
func (p *proposals) release(err error, ends func(*waiter) bool) {
	var ended []*waiter
	p.mu.Lock()
	for _, waiters := range p.sent {
		for i, w := range waiters {
			if w != nil && ends(w) {
				ended, waiters[i] = append(ended, w), nil
			}
		}
	}
	p.mu.Unlock()
	for _, w := range ended {
		w.end(machine.Result{}, err)
	}
}

// refuse refuses all requests that wait for the next record.
func (p *proposals) refuse() {
	var refused []*waiter
	p.mu.Lock()
	p.waiting = slices.DeleteFunc(p.waiting, func(one proposal) bool {
		if one.waiter != nil {
			refused = append(refused, one.waiter)
		}
		return one.waiter != nil
	})
	p.mu.Unlock()
	for _, w := range refused {
		w.end(machine.Result{}, machine.ErrNotReady)
	}
}

// stalls refuses what waits behind an append that lasts for too long, and releases those whose
// fate is unknown for too long. It returns for how long the append under way has lasted.
func (p *proposals) stalls(now time.Time, t Times) (stall time.Duration) {
	p.mu.Lock()
	if !p.since.IsZero() {
		stall = now.Sub(p.since)
	}
	p.mu.Unlock()
	if stall >= t.RefuseWait {
		p.refuse()
	}
	if stall >= t.UnknownIn {
		p.forsake()
	}
	return stall
}

// appendAll appends what is proposed, one record at a time, until ctx is done.
func (n *Node) appendAll(ctx context.Context) error {
	for number := uint64(0); ; {
		select {
		case <-ctx.Done():
			n.leave(number + 1)
			return nil
		case <-n.proposals.wake:
		}
		for life := n.life.Load(); life != 0 && ctx.Err() == nil; {
			losses := n.losses.Load() // earlier than take: what is taken is not younger
			taken := n.proposals.take()
			if len(taken) == 0 {
				break
			}
			number++
			next := time.Now().Add(n.options.Times.Gather * time.Duration(min(len(taken), maxGathered)))
			n.appendOne(ctx, machine.Record{Life: life, Number: number, Losses: losses}, taken)
			pause(ctx, time.Until(next))
		}
	}
}

// appendOne appends one record with commands, as often as it takes.
func (n *Node) appendOne(ctx context.Context, record machine.Record, taken []proposal) {
	record.Node, record.Log, record.At, record.Elapsed = n.options.Name, n.log.Load(), time.Now(), n.replica.Reckon()
	rand.Read(record.Seed[:]) // never fails: crypto/rand ends the process instead
	commands := make([][]byte, len(taken))
	for i, one := range taken {
		commands[i] = one.text
	}
	text := record.AppendWith(nil, commands)
	n.proposals.begin(record.Number, taken)
	id := fmt.Sprintf("%s/%d/%d", record.Node, record.Life, record.Number)
	var failing complaint
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, n.options.Times.Attempt)
		sequence, err := n.options.Engine.Append(attempt, id, text)
		cancel()
		n.options.OnAppend(time.Since(record.At), len(taken), err)
		if err == nil {
			n.proposals.appended()
			n.heard(sequence, text)
			if last, _ := n.applied.position(); sequence <= last && n.proposals.isSent(record.Number) {
				n.fail(errOtherLog) // this node has applied another record with this sequence
			}
			return
		}
		if time.Since(record.At) >= n.options.Times.UnknownIn { // what fails for less is logged by setOut
			failing.say(n.logger, "a record is not appended yet", err)
		}
		pause(ctx, appendAgain)
	}
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// close refuses what waits, and returns what nobody waits for.
func (p *proposals) close() (proposed []proposal) {
	p.mu.Lock()
	waiting := p.waiting
	p.waiting, p.closed = nil, true
	p.mu.Unlock()
	for _, one := range waiting {
		if one.waiter == nil {
			proposed = append(proposed, one)
		} else {
			one.waiter.end(machine.Result{}, machine.ErrNotReady)
		}
	}
	p.forsake()
	return proposed
}

// leave appends a last record, if the engine takes it soon: this node serves nobody any more. So
// the others need not wait until they take it for lost.
func (n *Node) leave(number uint64) {
	proposed := n.proposals.close()
	life := n.life.Load()
	if life == 0 || !n.options.Engine.Connected() {
		return
	}
	lost := machine.Command{Node: &machine.NodeCommand{Lost: n.options.Name}}
	ctx, cancel := context.WithTimeout(context.Background(), 2*n.options.Times.Attempt)
	defer cancel()
	n.appendOne(ctx, machine.Record{Life: life, Number: number, Losses: n.losses.Load()}, append(proposed, proposal{text: lost.Append(nil)}))
}
