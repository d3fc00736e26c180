// Package jetstream keeps the log of a cluster in NATS JetStream: it implements
// [cluster.Engine]. Nothing else imports the engine's client.
package jetstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"signaling-server/cluster"
)

// Options say how to reach the engine, and what to keep there.
type Options struct {
	URLs        []string // of the engine's nodes
	Credentials string   // a file with credentials of NATS; empty: none
	TLS         *tls.Config
	Name        string // of the cluster: clusters with different names share an engine
	Node        string // the name of this node, for the operators of the engine
	Replicas    int    // of the log; 0: three
	Logger      *slog.Logger
}

// duplicates is how long the engine remembers the ID of a record. A record that is appended
// again later is in the log twice, and applied once.
const duplicates = 2 * time.Minute

// minPayload is how many bytes a NATS server must take at once: a record, which has one large
// command or many small ones, or a part of a snapshot. It is what a server takes by default.
const minPayload = 1 << 20

// Engine is a connection to NATS JetStream. Prepare must have returned without an error before
// the other methods are called, except Connected and Close. Then any goroutine may call its methods
// at once, but only one may call Prepare or PutSnapshot.
type Engine struct {
	// set once
	options  Options
	settings nats.Options

	conn atomic.Pointer[nats.Conn] // nil: Prepare has not reached the engine yet
	js   jetstream.JetStream       // set with conn
}

var _ cluster.Engine = (*Engine)(nil)

// dialTimeout is how long one server of the engine may take to answer.
const dialTimeout = time.Second

// New returns an engine to which Prepare connects. When it has lost its connection, it connects
// again by itself. The error says why Credentials cannot be used. Close ends the engine.
func New(o Options) (*Engine, error) {
	o.Replicas = cmp.Or(o.Replicas, 3)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	e := &Engine{options: o, settings: nats.GetDefaultOptions()}
	forbidden := rate.Sometimes{First: 3, Interval: time.Minute} // the node tries again all the time
	settings := []nats.Option{
		nats.Name("signaling-server " + o.Node),
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // the engine's operators may mend it
		nats.ReconnectWait(200 * time.Millisecond),
		nats.ReconnectJitter(50*time.Millisecond, 50*time.Millisecond),
		nats.Timeout(dialTimeout),
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ReconnectBufSize(-1), // what cannot be sent now fails, and is sent again by its owner
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Logger.Warn("the connection to the engine is lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { o.Logger.Info("the engine is reached again", "at", c.ConnectedAddr()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				forbidden.Do(func() {
					o.Logger.Warn("NATS forbids this node what it must do: give its user more permissions", "error", err)
				})
				return
			}
			o.Logger.Debug("the engine reports", "error", err)
		}),
	}
	if o.Credentials != "" {
		settings = append(settings, nats.UserCredentials(o.Credentials))
	}
	if o.TLS != nil {
		settings = append(settings, nats.Secure(o.TLS))
	}
	for _, set := range settings {
		if err := set(&e.settings); err != nil {
			return nil, err
		}
	}
	e.settings.Servers = o.URLs
	if sign := e.settings.SignatureCB; sign != nil {
		if _, err := sign(nil); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// connect reaches the engine for the first time. A server that does not answer is left when ctx
// ends.
func (e *Engine) connect(ctx context.Context) error {
	settings, first := e.settings, &dialer{}
	first.ctx.Store(&ctx)
	settings.CustomDialer = first
	conn, err := settings.Connect()
	if err != nil {
		return err
	}
	first.ctx.Store(nil)
	js, err := jetstream.New(conn)
	if err != nil {
		conn.Close()
		return err
	}
	e.js = js
	e.conn.Store(conn)
	return nil
}

// dialer dials the servers of the engine.
type dialer struct {
	ctx atomic.Pointer[context.Context] // ends the first attempts; nil: they are over
}

// Dial implements [nats.CustomDialer].
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx := context.Background()
	if first := d.ctx.Load(); first != nil {
		ctx = *first
	}
	return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
}

// Close ends the connection.
func (e *Engine) Close() {
	if conn := e.conn.Load(); conn != nil {
		conn.Close()
	}
}

// Connected implements [cluster.Engine].
func (e *Engine) Connected() bool {
	conn := e.conn.Load()
	return conn != nil && conn.IsConnected()
}

func (e *Engine) stream() string  { return e.options.Name + "-log" }
func (e *Engine) subject() string { return e.options.Name + ".log" }
func (e *Engine) copies() string  { return e.options.Name + ".copies" }

// Prepare implements [cluster.Engine].
func (e *Engine) Prepare(ctx context.Context) error {
	if e.conn.Load() == nil {
		if err := e.connect(ctx); err != nil {
			return err
		}
	}
	if most := e.conn.Load().MaxPayload(); most < minPayload {
		return fmt.Errorf("the NATS servers take only %d bytes at once: set max_payload to at least %d", most, minPayload)
	}
	_, err := e.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:       e.stream(),
		Subjects:   []string{e.subject()},
		Storage:    jetstream.FileStorage,
		Replicas:   e.options.Replicas,
		Duplicates: duplicates,
		MaxMsgSize: 4 << 20,
		RePublish:  &jetstream.RePublish{Source: e.subject(), Destination: e.copies()},
		Metadata:   map[string]string{"purpose": "the log of a signaling-server: only its nodes may write here"},
	})
	if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return fmt.Errorf("making the stream %s: %w", e.stream(), err)
	}
	if err := e.checkReplicas(ctx); err != nil {
		return err
	}
	return e.prepareSnapshots(ctx)
}

// checkReplicas warns if the log is kept by another number of servers than the options say.
func (e *Engine) checkReplicas(ctx context.Context) error {
	stream, err := e.js.Stream(ctx, e.stream())
	if err != nil {
		return err
	}
	if has := stream.CachedInfo().Config.Replicas; has != e.options.Replicas {
		e.options.Logger.Warn("the log is kept by another number of NATS servers than CLUSTER_REPLICAS says: change it with the tools of NATS", "stream", e.stream(), "has", has, "wanted", e.options.Replicas)
	}
	return nil
}

// Append implements [cluster.Engine].
func (e *Engine) Append(ctx context.Context, id string, record []byte) (uint64, error) {
	ack, err := e.js.Publish(ctx, e.subject(), record, jetstream.WithMsgID(id), jetstream.WithExpectStream(e.stream()), jetstream.WithRetryAttempts(0))
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		err = nats.ErrDisconnected // nothing is buffered: see ReconnectBufSize
	}
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// Identity implements [cluster.Engine]. It is the time when the stream was made.
func (e *Engine) Identity(ctx context.Context) (string, error) {
	stream, err := e.js.Stream(ctx, e.stream())
	if err != nil {
		return "", err
	}
	return stream.CachedInfo().Created.String(), nil
}

// Last implements [cluster.Engine]. The leader of the stream answers.
func (e *Engine) Last(ctx context.Context) (uint64, error) {
	stream, err := e.js.Stream(ctx, e.stream()) // it asks for what CachedInfo returns
	if err != nil {
		return 0, err
	}
	return stream.CachedInfo().State.LastSeq, nil
}

// Get implements [cluster.Engine]. The leader of the stream answers.
func (e *Engine) Get(ctx context.Context, sequence uint64) ([]byte, error) {
	stream, err := e.js.Stream(ctx, e.stream())
	if err != nil {
		return nil, err
	}
	if sequence < stream.CachedInfo().State.FirstSeq {
		return nil, cluster.ErrForgotten
	}
	message, err := stream.GetMsg(ctx, sequence)
	if err != nil {
		return nil, err
	}
	return message.Data, nil
}

// Follow implements [cluster.Engine]. The leader of the stream sends a copy of each record that
// is appended. A consumer brings what was appended before.
func (e *Engine) Follow(ctx context.Context, from uint64, heard func(sequence uint64, record []byte)) error {
	copies, err := e.conn.Load().Subscribe(e.copies(), func(message *nats.Msg) {
		if sequence, err := strconv.ParseUint(message.Header.Get(nats.JSSequence), 10, 64); err == nil {
			heard(sequence, message.Data)
		}
	})
	if err != nil {
		return err
	}
	defer copies.Unsubscribe() // an error means that the connection is closed
	last, err := e.Last(ctx)
	if err != nil {
		return err
	}
	if err := e.replay(ctx, from, last, heard); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// replay calls heard for the records from one sequence to another.
func (e *Engine) replay(ctx context.Context, from, to uint64, heard func(sequence uint64, record []byte)) error {
	if from > to {
		return nil
	}
	consumer, err := e.js.OrderedConsumer(ctx, e.stream(), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   from,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	for {
		message, err := messages.Next()
		if err != nil {
			return err
		}
		metadata, err := message.Metadata()
		if err != nil {
			return err
		}
		heard(metadata.Sequence.Stream, message.Data())
		if metadata.Sequence.Stream >= to {
			return nil
		}
	}
}

// Forget implements [cluster.Engine].
func (e *Engine) Forget(ctx context.Context, before uint64) error {
	stream, err := e.js.Stream(ctx, e.stream())
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSequence(before))
}
