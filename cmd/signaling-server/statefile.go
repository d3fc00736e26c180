package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"signaling-server/internal/filelock"
	"signaling-server/machine"
	"signaling-server/server"
)

// A state file has this form: a mark, the version of the form, when it was written in Unix
// milliseconds, the state, and the SHA-256 of all that. The state names the version of its own form.
const (
	stateMark    = "signaling-state\n"
	stateVersion = 1
	stateHeader  = len(stateMark) + 1 + 8
)

// stateFile is where a process leaves its state for the next one. The empty path means that
// it leaves none.
type stateFile string

// The errors of a state file that is not used.
var (
	errDamaged = errors.New("it is damaged")
	errOther   = errors.New("another version of the server has written it")
)

// take returns the state in the file, or nil if there is none, and removes the file. So no state
// is used twice, and none is used after another process has served clients. The error says why
// the state is not used.
func (f stateFile) take(now time.Time, window time.Duration) (state []byte, err error) {
	content, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = os.Remove(string(f))
	}
	if err != nil {
		return nil, withUser(err)
	}
	return readState(content, now, window)
}

// readState returns the state in a file that must not be older than the resume window.
func readState(content []byte, now time.Time, window time.Duration) ([]byte, error) {
	header, isOurs := bytes.CutPrefix(content, []byte(stateMark))
	if !isOurs || len(content) < stateHeader+sha256.Size {
		return nil, errDamaged
	}
	if header[0] != stateVersion {
		return nil, errOther
	}
	summed, sum := content[:len(content)-sha256.Size], content[len(content)-sha256.Size:]
	if actual := sha256.Sum256(summed); !bytes.Equal(sum, actual[:]) {
		return nil, errDamaged
	}
	written := time.UnixMilli(int64(binary.BigEndian.Uint64(header[1:])))
	switch age := now.Sub(written); {
	case age > window:
		return nil, fmt.Errorf("it is %v old, and RESUME_WINDOW is %v", age.Round(time.Millisecond), window)
	case age < -window:
		return nil, fmt.Errorf("it was written at %s, which is in the future: check the clock", written.UTC().Format(time.RFC3339))
	}
	return summed[stateHeader:], nil
}

// appendState appends the content of a file with a state.
func appendState(b, state []byte, now time.Time) []byte {
	start := len(b)
	b = append(append(b, stateMark...), stateVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(now.UnixMilli()))
	b = append(b, state...)
	sum := sha256.Sum256(b[start:])
	return append(b, sum[:]...)
}

// leave writes a state for the next process. Nobody but the user of this process may read it.
// The file is there as a whole or not at all. It is not synced to the disk: after a loss of power
// it would be too old.
func (f stateFile) leave(state []byte, now time.Time) error {
	file, err := f.create()
	if err != nil {
		return err
	}
	_, err = file.Write(appendState(nil, state, now))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), string(f))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// create makes the file that becomes the state file when all is written. It replaces what a process
// left that was killed while it wrote.
func (f stateFile) create() (*os.File, error) {
	path := string(f) + ".new"
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// handOver leaves the state of a server that has stopped, if there is a next process. The error is
// a sentence for the operator.
func (f stateFile) handOver(signaling *server.Server, logger *slog.Logger) error {
	if f == "" {
		logger.Info("stopped")
		return nil
	}
	state := signaling.State()
	if err := f.leave(state, time.Now()); err != nil {
		return fmt.Errorf("STATE_FILE cannot be written, so each client gets a new socket: %w", withUser(err))
	}
	sockets, _, _ := signaling.Hub().Counts()
	logger.Info("stopped, and left the state for the next process", "sockets", sockets, "bytes", len(state))
	return nil
}

// answersWithin returns how long requests under way may take when the server stops. If another
// process goes on with the state, all clients wait until it is there. So a request that takes
// longer, or a connection of HTTP/2 that lingers, is cut off: its client asks the next process.
func (c config) answersWithin() time.Duration {
	if c.StateFile == "" {
		return c.ShutdownTimeout
	}
	return 250 * time.Millisecond
}

// claim keeps the file for this process until it is released. The error is a sentence for the
// operator: another process uses the file, this process could not write it, or it is something else
// than a state, which must not be removed.
func (f stateFile) claim() (release func() error, err error) {
	if f == "" {
		return func() error { return nil }, nil
	}
	lock, err := os.OpenFile(string(f)+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("STATE_FILE cannot be used: %w", withUser(err))
	}
	if filelock.Lock(lock) != nil {
		err = errors.New("another process uses it: stop that process first, or name another file")
	} else if err = f.checkContent(); err == nil {
		err = f.tryOut()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("STATE_FILE cannot be used: %w", withUser(err)), lock.Close())
	}
	return lock.Close, nil
}

// tryOut returns an error if this process could not leave a state.
func (f stateFile) tryOut() error {
	file, err := f.create()
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// checkContent returns an error if what has the name of the file is something else than a state. A
// file that is empty may have been a state before a loss of power.
func (f stateFile) checkContent() error {
	info, err := os.Lstat(string(f))
	if err != nil {
		return nil // there is none, or take says why it cannot be used
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file: remove it, or name another file", f)
	}
	file, err := os.Open(string(f))
	if err != nil {
		return nil // take says why
	}
	defer file.Close()
	start := make([]byte, len(stateMark))
	length, _ := io.ReadFull(file, start) // take says why it cannot be read
	if length > 0 && !strings.HasPrefix(stateMark, string(start[:length])) {
		return fmt.Errorf("%s has another content than a state: remove it, or name another file", f)
	}
	return nil
}

// newServer returns a server that goes on with the state that another process has left, or a
// new one if there is none that can be used.
func newServer(options server.Options, file stateFile, now time.Time, window time.Duration, logger *slog.Logger) (*server.Server, error) {
	signaling, err := server.New(options)
	if err != nil || file == "" {
		return signaling, err
	}
	began := time.Now()
	state, refused := file.take(now, window)
	if state != nil {
		refused = signaling.Restore(state)
	}
	switch {
	case errors.Is(refused, machine.ErrVersion):
		refused = errOther
		fallthrough
	case refused != nil:
		logger.Warn("the state of the process before is not used, so each client gets a new socket", "file", string(file), "reason", refused.Error())
		return server.New(options)
	case state != nil:
		sockets, _, _ := signaling.Hub().Counts()
		logger.Info("went on with the state of the process before", "sockets", sockets, "bytes", len(state), "took", time.Since(began).Round(time.Millisecond).String())
	}
	return signaling, nil
}
