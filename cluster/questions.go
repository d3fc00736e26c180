package cluster

import (
	"context"
	"sync"
)

// questions ask the engine for the end of the log. All that ask while one question is under
// way share the next.
type questions struct {
	wake chan struct{} // holds a value when there is a question

	mu   sync.Mutex // guards what follows
	next *question  // that has not been put yet; nil: there is none
}

// question is one question to the engine.
type question struct {
	done chan struct{} // closed when there is an answer
	last uint64
	err  error
}

// join returns the next question.
func (q *questions) join() *question {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == nil {
		q.next = &question{done: make(chan struct{})}
		q.wake <- struct{}{} // it has room: there was no question
	}
	return q.next
}

// askAll asks the engine, until ctx is done.
func (n *Node) askAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.questions.wake:
		}
		n.questions.mu.Lock()
		q := n.questions.next
		n.questions.next = nil
		n.questions.mu.Unlock()
		attempt, cancel := context.WithTimeout(ctx, n.options.Times.Attempt)
		q.last, q.err = n.options.Engine.Last(attempt)
		cancel()
		if q.err == nil {
			n.heard(q.last, nil) // if its copy does not come, it is fetched
		}
		close(q.done)
	}
}
