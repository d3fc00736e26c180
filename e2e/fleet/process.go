package fleet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a node or a NATS server. It may end and start again, with the same name, address
// and files. Any goroutine may call its methods.
type Process struct {
	// set once
	Name    string
	URL     string // of its pages: a node's own, or the monitoring of a NATS server
	address string // where clients connect to
	path    string
	args    []string
	env     []string
	ready   string // the path that answers 200 when it is ready
	log     string // the file for its output
	files   string // the folder with what it keeps; empty: it keeps nothing

	mu  sync.Mutex // guards what follows
	run *run       // the newest; nil: it was never started
}

// run is one run of a process.
type run struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	err     error         // how it ended
}

// stopping is how long a process may take to end in order.
const stopping = 30 * time.Second

// Start starts the process, unless it runs.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run != nil && !p.run.isOver() {
		return nil
	}
	output, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer output.Close() // the process has its own
	next := &run{command: exec.Command(p.path, p.args...), ended: make(chan struct{})}
	next.command.Env, next.command.Stdout, next.command.Stderr = p.env, output, output
	next.command.SysProcAttr = endsWithThread()
	if p.env == nil {
		next.command.Env = []string{} // nil would be the variables of this process
	}
	started := make(chan error)
	go next.own(started) // ends with the process
	if err := <-started; err != nil {
		return fmt.Errorf("%s does not start: %w", p.Name, err)
	}
	p.run = next
	return nil
}

// own starts the process and waits until it ends. It keeps its thread: when that ends, and be
// it with this whole process, Linux ends the process as well.
func (r *run) own(started chan<- error) {
	runtime.LockOSThread()
	err := r.command.Start()
	started <- err
	if err == nil {
		r.err = r.command.Wait()
	}
	close(r.ended)
}

func (r *run) isOver() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// current returns the newest run, or nil if nothing runs.
func (p *Process) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil || p.run.isOver() {
		return nil
	}
	return p.run
}

// Pid returns the number of the process, or 0 if it does not run.
func (p *Process) Pid() int {
	if r := p.current(); r != nil {
		return r.command.Process.Pid
	}
	return 0
}

// Ended waits until the process ends, and returns how. It returns at once if it does not run.
func (p *Process) Ended() error {
	p.mu.Lock()
	r := p.run
	p.mu.Unlock()
	if r == nil {
		return nil
	}
	<-r.ended
	return r.err
}

// Kill ends the process at once, as kill -9 does, and waits until it has ended.
func (p *Process) Kill() {
	if r := p.current(); r != nil {
		r.command.Process.Kill() // an error means that it has just ended
		<-r.ended
	}
}

// Stop ends the process in order, as SIGTERM does, and waits until it has ended. The error says
// that it did not end well.
func (p *Process) Stop() error {
	r := p.current()
	if r == nil {
		return nil
	}
	p.Resume()
	r.command.Process.Signal(syscall.SIGTERM) // an error means that it has just ended
	select {
	case <-r.ended:
	case <-time.After(stopping):
		p.Kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM", p.Name, stopping)
	}
	if r.err != nil {
		return fmt.Errorf("%s did not end well: %w", p.Name, r.err)
	}
	return nil
}

// Empty removes what a process that does not run has kept.
func (p *Process) Empty() error { return os.RemoveAll(p.files) }

// Pause stops the process from doing anything, as SIGSTOP does, until Resume.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s syscall.Signal) {
	if r := p.current(); r != nil {
		r.command.Process.Signal(s) // an error means that it has just ended
	}
}

// AwaitReady waits until the process says that it is ready. It does not wait for one that has ended.
func (p *Process) AwaitReady(ctx context.Context) error {
	for {
		_, last := p.get(ctx, p.ready)
		if last == nil {
			return nil
		}
		if p.current() == nil {
			return fmt.Errorf("%s has ended: %s", p.Name, p.lastWords())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", p.Name, last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// get asks the process for something, and returns the answer if that is 200. The connection
// ends with it, so a process that is killed leaves none behind.
func (p *Process) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", response.Status)
	}
	return io.ReadAll(response.Body)
}

// lastWords returns the last line that the process has written.
func (p *Process) lastWords() string {
	text := strings.TrimSpace(p.Log())
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Log returns what the process has written in all its runs.
func (p *Process) Log() string {
	text, _ := os.ReadFile(p.log) // without a log there is nothing to read
	return string(text)
}
