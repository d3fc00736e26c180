package jetstream_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/cluster/jetstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "hush-hush-hush"

// logbook is a log that several goroutines write.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// accept takes a connection as a server of the engine does. It returns the connection and its lines
// when the client has said who it is.
func accept(t *testing.T, engine net.Listener) (net.Conn, *bufio.Scanner) {
	t.Helper()
	conn, err := engine.Accept()
	require.NoError(t, err)
	_, err = io.WriteString(conn, `INFO {"server_id":"one","version":"2.15.3","headers":true,"max_payload":1048576,"auth_required":true,"jetstream":true}`+"\r\n")
	require.NoError(t, err)
	lines := bufio.NewScanner(conn)
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), token)
	require.True(t, lines.Scan())
	require.Equal(t, "PING", lines.Text())
	return conn, lines
}

// refuse refuses the next connection.
func refuse(t *testing.T, engine net.Listener) {
	t.Helper()
	conn, _ := accept(t, engine)
	_, err := io.WriteString(conn, "-ERR 'Authorization Violation'\r\n")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

// welcome takes the next connection, and answers its pings and nothing else.
func welcome(t *testing.T, engine net.Listener) net.Conn {
	t.Helper()
	conn, lines := accept(t, engine)
	_, err := io.WriteString(conn, "PONG\r\n")
	require.NoError(t, err)
	go func() { // ends with the connection
		for lines.Scan() {
			if lines.Text() == "PING" {
				_, _ = io.WriteString(conn, "PONG\r\n")
			}
		}
	}()
	return conn
}

// The engine refuses the token at first. Later it takes it, and breaks the connection.
func TestTheEngineIsReachedAgainAndNobodyReadsTheToken(t *testing.T) {
	engine, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer engine.Close()
	require.NoError(t, engine.(*net.TCPListener).SetDeadline(time.Now().Add(10*time.Second)))
	var log logbook
	e, err := jetstream.New(jetstream.Options{
		URLs: []string{"nats://" + token + "@" + engine.Addr().String()}, Name: "signaling", Node: "n1", Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	defer e.Close()
	prepare := func() chan error {
		failed := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			failed <- e.Prepare(ctx)
		}()
		return failed
	}
	require.False(t, e.Connected())
	failed := prepare()
	refuse(t, engine)
	err = <-failed
	require.ErrorContains(t, err, "Authorization Violation")
	require.NotContains(t, err.Error(), token)

	failed = prepare()
	conn := welcome(t, engine)
	err = <-failed
	require.ErrorContains(t, err, "making the stream signaling-log")
	require.True(t, e.Connected())
	conn.Close()
	for range 3 { // more often than the client of NATS bears by itself
		refuse(t, engine)
	}
	conn = welcome(t, engine)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "the engine is reached again") }, 5*time.Second, time.Millisecond)
	require.True(t, e.Connected())
	_, err = io.WriteString(conn, `-ERR 'Permissions Violation for Publish to "$JS.API.STREAM.INFO.signaling-log"'`+"\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return strings.Contains(log.String(), "level=WARN msg=\"NATS forbids this node what it must do")
	}, 5*time.Second, time.Millisecond, "an operator must see it")
	require.NotContains(t, log.String(), token)
	conn.Close()
	require.Eventually(t, func() bool { return !e.Connected() }, 5*time.Second, time.Millisecond)
	_, err = e.Append(t.Context(), "id", []byte("record"))
	require.EqualError(t, err, "nats: server is disconnected")
}
