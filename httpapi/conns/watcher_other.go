//go:build !linux

package conns

import "errors"

// watcher is not there on this system, so no connection is parked.
type watcher struct{}

func newWatcher() (*watcher, error) { return nil, errors.ErrUnsupported }

func (*watcher) add(*Parked) error { return errors.ErrUnsupported }

func (*watcher) watch(*Parked, bool) error { return errors.ErrUnsupported }

func (*watcher) run(func(id uint64, isWritable, isGone bool)) {}

func (*watcher) close() {}

func writeAtOnce(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
