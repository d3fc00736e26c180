package conns

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// watcher watches parked connections by epoll(7). Its own descriptor waits in Go's poller,
// so no thread blocks.
type watcher struct{ file *os.File }

func newWatcher() (*watcher, error) {
	descriptor, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(descriptor, true); err != nil {
		return nil, errors.Join(err, unix.Close(descriptor))
	}
	return &watcher{os.NewFile(uintptr(descriptor), "epoll")}, nil
}

// add begins to watch whether a connection ends.
func (w *watcher) add(p *Parked) error { return w.control(unix.EPOLL_CTL_ADD, p, ending) }

// ending is the end of a connection. It is reported once: otherwise the kernel would report
// it over and over until the connection is closed.
const ending = unix.EPOLLRDHUP | unix.EPOLLONESHOT

// watch says whether a connection is also watched for taking more. A closed connection is
// not watched any more.
func (w *watcher) watch(p *Parked, isBlocked bool) error {
	events := uint32(ending)
	if isBlocked {
		events |= unix.EPOLLOUT
	}
	return w.control(unix.EPOLL_CTL_MOD, p, events)
}

func (w *watcher) control(operation int, p *Parked, events uint32) error {
	epoll, err := w.file.SyscallConn()
	if err != nil {
		return err
	}
	event := unix.EpollEvent{Events: events, Fd: int32(p.id), Pad: int32(p.id >> 32)}
	var failed, unwatched error
	err = p.raw.Control(func(descriptor uintptr) {
		unwatched = epoll.Control(func(own uintptr) { failed = unix.EpollCtl(int(own), operation, int(descriptor), &event) })
	})
	return errors.Join(err, unwatched, failed)
}

// run reports what happens to the connections, until close is called.
func (w *watcher) run(report func(id uint64, isWritable, isGone bool)) {
	epoll, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	events := make([]unix.EpollEvent, 128)
	for {
		var count int
		var failed error
		err := epoll.Read(func(own uintptr) bool {
			count, failed = unix.EpollWait(int(own), events, 0)
			return count != 0
		})
		if err != nil || failed != nil && !errors.Is(failed, unix.EINTR) {
			return
		}
		for _, e := range events[:max(count, 0)] {
			id := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
			report(id, e.Events&unix.EPOLLOUT != 0, e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
		}
	}
}

// close ends run.
func (w *watcher) close() { _ = w.file.Close() } // nothing is lost: there is nothing to write

// writeAtOnce writes what a descriptor takes without blocking.
func writeAtOnce(descriptor uintptr, text []byte) (taken int, err error) {
	for {
		taken, err = unix.Write(int(descriptor), text)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		default:
			return max(taken, 0), err
		}
	}
}
