package decode

import (
	"fmt"
	"iter"

	"github.com/go-json-experiment/json/jsontext"

	"signaling-server/httpapi/excerpt"
	"signaling-server/httpapi/problem"
)

// Batch holds the events of a batch. They are read one after the other, because a list
// of them could take more memory than the body.
type Batch struct {
	Count  int      // of the events
	events Document // an array
}

// All yields the events, each as it was written.
func (b Batch) All() iter.Seq[Document] {
	return func(yield func(Document) bool) {
		for event := range valuesOf(b.events.text) {
			if !yield(Document{event}) {
				return
			}
		}
	}
}

// ParseBatch finds the events of a batch. Without events, or with more than maxEvents,
// the batch is invalid.
func ParseBatch(body []byte, maxEvents int) (Batch, error) {
	whole, err := ParseDocument(body)
	if err != nil {
		return Batch{}, err
	}
	if whole.text.Kind() != '{' {
		return Batch{}, problem.Invalid(mustBeObject)
	}
	var events jsontext.Value
	for m := range membersOf(whole.text) {
		switch {
		case !m.isNamed("events"):
			return Batch{}, problem.Invalid(problem.Field(excerpt.Of(string(m.name())), "unknown", "a batch has no such member"))
		case events != nil:
			return Batch{}, problem.Invalid(problem.Field("events", "unique", "must not be repeated"))
		case m.value.Kind() != '[':
			return Batch{}, problem.Invalid(problem.Field("events", "type", "must be an array of events"))
		}
		events = m.value
	}
	count := 0
	if events != nil {
		count = countUpTo(maxEvents+1, valuesOf(events))
	}
	if count < 1 || count > maxEvents {
		return Batch{}, problem.Invalid(problem.Field("events", "length", fmt.Sprintf("must contain 1 to %d events", maxEvents)))
	}
	return Batch{count, Document{events}}, nil
}

// countUpTo counts values, and stops counting at enough.
func countUpTo[T any](enough int, values iter.Seq[T]) (count int) {
	for range values {
		if count++; count == enough {
			break
		}
	}
	return count
}
