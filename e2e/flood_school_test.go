package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Honest use of the default settings at the size that they are made for: a whole school
// shares the limits of one address.

// pupil is one of many clients behind one address. It only counts what it reads: if
// a thousand readers parsed every event, their own work would slow the measurement.
type pupil struct {
	token string

	known   atomic.Int64 // members that room-joined named, or that came later
	chatted atomic.Int64
}

// attend opens a stream and reads it until the connection is closed.
func (p *pupil) attend(connection net.Conn, reading *sync.WaitGroup) error {
	if _, err := io.WriteString(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(connection, 4<<10), nil)
	if err != nil {
		return err
	}
	lines := bufio.NewReaderSize(answer.Body, 4<<10)
	for p.token == "" {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		if bytes.Contains(line, []byte(`"type":"disconnected"`)) {
			return fmt.Errorf("refused: %s", line)
		}
		p.token, _ = tokenIn(line)
	}
	reading.Go(func() {
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			switch {
			case bytes.HasPrefix(line, []byte(`data: {"type":"room-joined"`)):
				p.known.Add(int64(bytes.Count(line, []byte(`"socketId":`))))
			case bytes.HasPrefix(line, []byte(`data: {"type":"user-connected"`)):
				p.known.Add(1)
			case bytes.HasPrefix(line, []byte(`data: {"type":"new-message"`)):
				p.chatted.Add(1)
			}
		}
	})
	return nil
}

// A thousand clients behind one address join one room, each with 1 KB of metadata, and
// some of them speak to all. The server refuses nothing, and each client learns of
// every other exactly once.
func TestASchoolBehindOneAddressIsRefusedNothing(t *testing.T) {
	runsBeside(t)
	const size, messages = 1000, 5
	url := startServer(t)
	host := strings.TrimPrefix(url, "http://")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	send := func(token, event string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/events", strings.NewReader(event))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		if answer.StatusCode != http.StatusAccepted {
			return fmt.Errorf("answered %d: %s", answer.StatusCode, text)
		}
		return nil
	}

	var reading sync.WaitGroup
	var connections []net.Conn
	defer func() {
		for _, connection := range connections {
			connection.Close()
		}
		reading.Wait()
	}()
	pupils := make([]*pupil, size)
	pace := time.NewTicker(time.Second / 45) // an address may open 50 sockets a second
	defer pace.Stop()
	for i := range pupils {
		connection, err := net.Dial("tcp", host)
		require.NoError(t, err)
		connections = append(connections, connection)
		pupils[i] = new(pupil)
		require.NoError(t, pupils[i].attend(connection, &reading), "pupil %d", i)
		join := fmt.Sprintf(`{"type":"join-room","roomId":"assembly","userId":"pupil %d","metadata":{"x":"%s"}}`, i, strings.Repeat("m", 1000))
		require.NoError(t, send(pupils[i].token, join), "pupil %d", i)
		if i > 200 {
			<-pace.C
		}
	}
	for n := range messages {
		require.NoError(t, send(pupils[n].token, `{"type":"send-message","message":"Good morning"}`))
	}
	for i, p := range pupils {
		require.Eventually(t, func() bool { return p.known.Load() == size && p.chatted.Load() == messages }, within, 10*time.Millisecond,
			"pupil %d knows of %d and heard %d", i, p.known.Load(), p.chatted.Load())
	}
}
