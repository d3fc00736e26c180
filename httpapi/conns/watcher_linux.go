package conns

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watcher watches connections by epoll(7). Its own descriptor waits in Go's poller,
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

// add begins to watch a connection. What happens to it is reported once, and then not until
// watch is called: otherwise the kernel would report it over and over. A closed connection
// is not watched any more.
func (w *watcher) add(raw syscall.RawConn, id uint64, what events) error {
	return w.control(unix.EPOLL_CTL_ADD, raw, id, what)
}

// watch changes for what a connection is watched.
func (w *watcher) watch(raw syscall.RawConn, id uint64, what events) error {
	return w.control(unix.EPOLL_CTL_MOD, raw, id, what)
}

// remove ends the watch over a connection.
func (w *watcher) remove(raw syscall.RawConn) error { return w.control(unix.EPOLL_CTL_DEL, raw, 0, 0) }

func (w *watcher) control(operation int, raw syscall.RawConn, id uint64, what events) error {
	epoll, err := w.file.SyscallConn()
	if err != nil {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLONESHOT, Fd: int32(id), Pad: int32(id >> 32)}
	if what&readable != 0 {
		event.Events |= unix.EPOLLIN
	}
	if what&writable != 0 {
		event.Events |= unix.EPOLLOUT
	}
	if what&ending != 0 {
		event.Events |= unix.EPOLLRDHUP
	}
	var failed, unwatched error
	err = raw.Control(func(descriptor uintptr) {
		unwatched = epoll.Control(func(own uintptr) { failed = unix.EpollCtl(int(own), operation, int(descriptor), &event) })
	})
	return errors.Join(err, unwatched, failed)
}

// run reports what happens to the connections, until close is called.
func (w *watcher) run(report func(id uint64, what events)) {
	epoll, err := w.file.SyscallConn()
	if err != nil {
		return
	}
	batch := make([]unix.EpollEvent, 128)
	for {
		var count int
		var failed error
		err := epoll.Read(func(own uintptr) bool {
			count, failed = unix.EpollWait(int(own), batch, 0)
			return count != 0
		})
		if err != nil || failed != nil && !errors.Is(failed, unix.EINTR) {
			return
		}
		for _, e := range batch[:max(count, 0)] {
			report(uint64(uint32(e.Fd))|uint64(uint32(e.Pad))<<32, eventsOf(e.Events))
		}
	}
}

func eventsOf(epoll uint32) (what events) {
	if epoll&unix.EPOLLIN != 0 {
		what |= readable
	}
	if epoll&unix.EPOLLOUT != 0 {
		what |= writable
	}
	if epoll&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		what |= ending
	}
	return what
}

// close ends run.
func (w *watcher) close() { _ = w.file.Close() } // nothing is lost: there is nothing to write

// readAtOnce reads what has come to a descriptor. It never waits, and returns 0 and no error if
// nothing has come. At the end of the connection it returns io.EOF.
func readAtOnce(descriptor uintptr, p []byte) (n int, err error) {
	for {
		n, err = syscall.Read(int(descriptor), p)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case n == 0 && err == nil:
			return 0, io.EOF
		default:
			return max(n, 0), err
		}
	}
}

// writeAtOnce writes what a descriptor takes without blocking.
func writeAtOnce(descriptor uintptr, text []byte) (taken int, err error) {
	for {
		taken, err = syscall.Write(int(descriptor), text)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		default:
			return max(taken, 0), err
		}
	}
}

// silentFor is how long a client has acknowledged nothing if its link is dead. The kernel
// gives up after 8.5 s, and asks a client that takes nothing about every three seconds.
const silentFor = 5 * time.Second

// errSilent is the error of a link that is dead.
var errSilent = errors.New("conns: the client acknowledges nothing")

// errorOf returns why a connection is broken, or nil if it is not. If the kernel has given
// it up, that is ETIMEDOUT for a client that takes nothing, and errSilent for a dead link.
func errorOf(raw syscall.RawConn) (why error) {
	err := raw.Control(func(descriptor uintptr) {
		number, err := unix.GetsockoptInt(int(descriptor), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			why = err
		case number != 0:
			why = syscall.Errno(number)
		}
		if !errors.Is(why, syscall.ETIMEDOUT) {
			return
		}
		info, err := unix.GetsockoptTCPInfo(int(descriptor), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil && time.Duration(info.Last_ack_recv)*time.Millisecond >= silentFor {
			why = errSilent
		}
	})
	return errors.Join(err, why)
}
