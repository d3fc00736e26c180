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
	pollWait    = 25 * time.Second // that the server may take to answer
	pollMargin  = 10 * time.Second // that the way there and back may take besides
	maxPollSize = 64 << 20         // bytes of an answer
)

// polling asks for events again and again.
type polling struct{ client *Client }

// close implements source: each poll has ended when its read has.
func (p *polling) close() {}

// read implements source by one poll. How long the server stays silent is said in
// the request.
func (p *polling) read(time.Duration) ([]received, error) {
	ctx, cancel := context.WithTimeout(p.client.hearing, pollWait+pollMargin)
	defer cancel()
	query := url.Values{"wait": {strconv.Itoa(int(pollWait / time.Second))}}
	lastID := p.client.reader.lastID
	if dot := strings.LastIndexByte(lastID, '.'); dot >= 0 {
		query.Set("after", lastID[dot+1:])
	}
	_, token := p.client.identity.get()
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

// receivedOf are the events of an answer. Its position is behind the last of them.
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
