package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
)

// bidi is a connection by WebDriver BiDi (W3C): commands and events as JSON over a
// WebSocket.
type bidi struct {
	socket *websocket.Conn
	ended  chan struct{} // closed when nothing comes any more

	mu      sync.Mutex // guards what follows
	last    int        // the number of the last command
	waiting map[int]chan bidiMessage
	hear    map[string]func(bidiMessage) // who hears the events, by browsing context
}

// bidiMessage is an answer or an event.
type bidiMessage struct {
	ID      int
	Error   string
	Message string // explains Error
	Result  json.RawMessage
	Method  string
	Params  json.RawMessage
}

func dialBidi(ctx context.Context, url string) (*bidi, error) {
	socket, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	socket.SetReadLimit(-1) // a screenshot is large
	b := &bidi{socket: socket, ended: make(chan struct{}), waiting: make(map[int]chan bidiMessage), hear: make(map[string]func(bidiMessage))}
	go b.read() // ends with close, or with the browser
	return b, nil
}

func (b *bidi) close() {
	b.socket.CloseNow()
	<-b.ended
}

func (b *bidi) read() {
	defer close(b.ended)
	for {
		var m bidiMessage
		if err := wsjson.Read(context.Background(), b.socket, &m); err != nil {
			return
		}
		if m.Method == "" {
			b.answer(m)
		} else if hear := b.listener(m); hear != nil {
			hear(m)
		}
	}
}

func (b *bidi) answer(m bidiMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if answer, ok := b.waiting[m.ID]; ok {
		answer <- m
		delete(b.waiting, m.ID)
	}
}

// listener returns who hears an event of this browsing context.
func (b *bidi) listener(m bidiMessage) func(bidiMessage) {
	var of struct {
		Context string
		Source  struct{ Context string }
	}
	if json.Unmarshal(m.Params, &of) != nil {
		return nil // an event that does not belong to a page
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hear[of.Context+of.Source.Context]
}

// listen passes the events of a browsing context to a function. Without a function they
// are dropped.
func (b *bidi) listen(browsingContext string, hear func(bidiMessage)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hear[browsingContext] = hear
}

// call sends a command, and decodes its result unless into is nil.
func (b *bidi) call(ctx context.Context, method string, params fields, into any) error {
	answer := make(chan bidiMessage, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, id)
	}()
	if err := wsjson.Write(context.WithoutCancel(ctx), b.socket, fields{"id": id, "method": method, "params": params}); err != nil {
		return err
	}
	select {
	case m := <-answer:
		if m.Error != "" {
			return fmt.Errorf("%s: %s: %s", method, m.Error, m.Message)
		}
		if into == nil {
			return nil
		}
		return json.Unmarshal(m.Result, into)
	case <-b.ended:
		return errors.New("the browser has ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bidiValue is a value of JavaScript as WebDriver BiDi writes it.
type bidiValue struct {
	Type     string
	Value    json.RawMessage
	SharedID string // of an element
}

// inJSON returns the value as JSON.stringify writes it. What JSON cannot express is
// null.
func (v bidiValue) inJSON() (json.RawMessage, error) {
	switch {
	case len(v.Value) == 0, v.Type == "number" && v.Value[0] == '"': // for example a function, or NaN
		return json.RawMessage("null"), nil
	case v.Type == "array":
		var items []bidiValue
		if err := json.Unmarshal(v.Value, &items); err != nil {
			return nil, err
		}
		array := make([]json.RawMessage, len(items))
		for i, item := range items {
			var err error
			if array[i], err = item.inJSON(); err != nil {
				return nil, err
			}
		}
		return json.Marshal(array)
	case v.Type == "object":
		var members [][2]json.RawMessage
		if err := json.Unmarshal(v.Value, &members); err != nil {
			return nil, err
		}
		object := make(map[string]json.RawMessage)
		for _, member := range members {
			var name string
			var value bidiValue
			if err := errors.Join(json.Unmarshal(member[0], &name), json.Unmarshal(member[1], &value)); err != nil {
				return nil, err
			}
			text, err := value.inJSON()
			if err != nil {
				return nil, err
			}
			object[name] = text
		}
		return json.Marshal(object)
	default:
		return v.Value, nil
	}
}
