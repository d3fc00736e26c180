package main

import (
	"errors"
	"net"
	"strings"
	"sync"
)

func (l *load) fail(err error) { l.failures.add(err) }

// failures counts errors by their text. Its zero value is empty.
type failures struct {
	mu    sync.Mutex
	texts map[string]int
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.texts == nil {
		f.texts = make(map[string]int)
	}
	text := err.Error()
	// Without the client's own address, the errors of all clients are the same.
	if failed := new(net.OpError); errors.As(err, &failed) {
		text = strings.Replace(text, failed.Error(), failed.Op+": "+failed.Err.Error(), 1)
	}
	if _, isKnown := f.texts[text]; !isKnown && len(f.texts) >= 100 {
		text = "other errors"
	}
	f.texts[text]++
}
