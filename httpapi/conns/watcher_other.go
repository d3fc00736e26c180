//go:build !linux

package conns

import (
	"errors"
	"syscall"
)

// watcher is not there on this system, so no connection is parked or falls asleep.
type watcher struct{}

func newWatcher() (*watcher, error) { return nil, errors.ErrUnsupported }

func (*watcher) add(syscall.RawConn, uint64, events) error { return errors.ErrUnsupported }

func (*watcher) watch(syscall.RawConn, uint64, events) error { return errors.ErrUnsupported }

func (*watcher) remove(syscall.RawConn) error { return errors.ErrUnsupported }

func (*watcher) run(func(id uint64, what events)) {}

func (*watcher) close() {}

func readAtOnce(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func writeAtOnce(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }

func errorOf(syscall.RawConn) error { return nil }
