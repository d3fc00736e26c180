package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// pollWait is how long the server may wait for events, and pollMargin how long a poll and its
	// answer may travel. If a node answers nothing more, the others learn of it in 5 s, and then
	// the resume window begins: both together must be shorter.
	pollWait    = 10 * time.Second
	pollMargin  = 3 * time.Second
	maxPollSize = 64 << 20 // bytes of an answer
)

// polling is a source that makes one long poll after the other.
type polling struct{ client *Client }

// close implements source. There is nothing to close: a poll ends with its read.
func (p *polling) close() {}

// read implements source by one poll. It ignores the time that it is given, because
// the poll itself says for how long the server may be silent.
func (p *polling) read(time.Duration) ([]received, error) {
	ctx, cancel := context.WithTimeout(p.client.hearing, pollWait+pollMargin)
	defer cancel()
	query := url.Values{"wait": {strconv.Itoa(int(pollWait / time.Second))}}
	_, token := p.client.identity.get()
	if _, sequence, found := strings.Cut(p.client.identity.position(token), "."); found {
		query.Set("after", sequence)
	}
	r, err := p.client.request(ctx, http.MethodGet, "events/poll", token, query, nil)
	if err != nil {
		return nil, err
	}
	response, err := p.client.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errorOf(response)
	}
	var answer struct {
		Events      []json.RawMessage `json:"events"`
		LastEventID string            `json:"lastEventId"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxPollSize)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading the answer to a poll: %w", err)
	}
	return receivedOf(answer.Events, answer.LastEventID), nil
}

// receivedOf returns the events of an answer. The answer has one position. It belongs
// to the last event.
func receivedOf(events []json.RawMessage, lastID string) []received {
	got := make([]received, len(events))
	for i, data := range events {
		got[i].data = data
	}
	if len(got) > 0 {
		got[len(got)-1].id = lastID
	}
	return got
}
