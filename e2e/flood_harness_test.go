package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The files flood_*_test.go attack the server's memory, sockets and time. The attacker
// is one client, and the server has the default settings. SECURITY.md lists the attacks
// with their figures.

const (
	container = 256 << 20 // bytes of memory that the server may take
	lost      = 1 << 30   // bytes at which the attack has succeeded, and the server is killed
	returned  = 32 << 20  // bytes above the start at which memory counts as given back

	promptly  = time.Second     // how much longer an honest client may wait than at a server without attackers
	firstWord = 4 * time.Second // the same for a new client: a browser's client would then try another way (FIRST_WORD)
)

// The addresses of the parties. The server limits each address by itself.
const (
	honestAddress   = "127.0.0.1"
	attackerAddress = "127.0.0.2"
	strangerAddress = "127.0.0.3"
	operatorAddress = "127.0.0.4"
	roommateAddress = "127.0.0.5"
)

// siege is a server in a small container, an attacker, and a pair of honest clients
// that talk all the time. Another pair talks through a server without attackers, and
// shows what the machine itself costs.
type siege struct {
	// set once
	t       *testing.T
	url     string
	host    string
	process *os.Process
	attack  context.Context // done when the attack is over, or has succeeded
	callOff context.CancelFunc
	started time.Time
	pair    *honestPair
	others  *honestPair    // at a server without attackers, on the same machine
	running sync.WaitGroup // all goroutines of the attack

	before     int64 // bytes resident before the attack
	usedBefore time.Duration

	killed    atomic.Bool  // set by watchMemory
	uploaded  atomic.Int64 // bytes that the attacker has sent
	knocks    atomic.Int64 // strangers that got in
	keptOut   atomic.Int64 // strangers that did not get in
	worstWait atomic.Int64 // of all strangers, in nanoseconds

	mu    sync.Mutex // guards what follows
	wires []*wire
}

// besiege starts the servers and the honest pairs. The caller attacks, and then calls
// lift. The test takes turns with other attacks.
func besiege(t *testing.T, settings ...string) *siege {
	t.Helper()
	return besiegeBy(t, nil, settings...)
}

// besiegeBy is besiege with a program that starts the attacked server.
func besiegeBy(t *testing.T, starter []string, settings ...string) *siege {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: the memory of a process is read from Linux's /proc")
	}
	takesTurnsAttacking(t)
	// Heartbeats and window are short, so the attack's sockets end soon after the
	// attack.
	settings = append([]string{"MEMORY_LIMIT=" + strconv.Itoa(container), "HEARTBEAT_INTERVAL=2s", "RESUME_WINDOW=3s", "AWAY_AFTER=1s"}, settings...)
	address, process := startProcess(t, &leanServer, starter, settings...)
	s := &siege{t: t, url: address, host: strings.TrimPrefix(address, "http://"), process: process}
	unharmed, _ := startProcess(t, &leanServer, nil, settings...)
	s.others = converse(t, unharmed)
	s.pair = converse(t, s.url)
	s.before, s.usedBefore = s.resident("VmRSS"), s.processorTime()
	s.started = time.Now()
	s.attack, s.callOff = context.WithTimeout(t.Context(), within)
	t.Cleanup(s.retreat) // if the test fails before lift
	s.running.Go(s.watchMemory)
	return s
}

// watchMemory kills a server that takes far too much memory. A container would have
// killed it long before, and the machine that runs the tests must survive.
func (s *siege) watchMemory() {
	for s.attack.Err() == nil {
		if now := s.resident("VmRSS"); now > lost {
			s.t.Errorf("the attack has succeeded: after %.1f s and %s uploaded %s are resident, and the server is killed", time.Since(s.started).Seconds(), inMiB(s.uploaded.Load()), inMiB(now))
			s.killed.Store(true)
			_ = s.process.Kill()
			s.callOff()
		}
		rest(s.attack, 20*time.Millisecond)
	}
}

var residentLine = regexp.MustCompile(`(?m)^(VmRSS|VmHWM):\s+(\d+) kB$`)

// resident reads the server's memory: VmRSS is the present, VmHWM the highest. It
// returns 0 if the server is gone.
func (s *siege) resident(which string) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Pid))
	for _, line := range residentLine.FindAllStringSubmatch(string(status), -1) {
		if line[1] == which {
			kilobytes, _ := strconv.ParseInt(line[2], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// processorTime returns the processor time that the server has used so far.
// proc_pid_stat(5) has it as utime and stime, in hundredths of a second.
func (s *siege) processorTime() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Pid))
	require.NoError(s.t, err)
	behindName := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int
	for _, field := range behindName[11:13] {
		n, err := strconv.Atoi(field)
		require.NoError(s.t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// retreat ends the attack, and closes all its connections.
func (s *siege) retreat() {
	s.callOff()
	s.mu.Lock()
	for _, w := range s.wires {
		w.Close()
	}
	s.wires = nil
	s.mu.Unlock()
	s.running.Wait()
}

// lift ends the attack and judges it. The server must have stayed within its container,
// given its memory back, and kept its promises to the honest pair. If problems are given,
// it must have refused the attacker by one of them.
func (s *siege) lift(refusedBy ...string) {
	s.t.Helper()
	if s.killed.Load() {
		s.t.FailNow()
	}
	took, used := time.Since(s.started), s.processorTime()-s.usedBefore
	inTime := s.attack.Err() == nil
	s.retreat()
	after := s.awaitRecovery()
	recovery := time.Since(s.started) - took
	worst := s.resident("VmHWM")
	honest, elsewhere := s.pair.end(), s.others.end()
	refusals, limits := s.counted("signaling_refused_total"), s.counted("signaling_limit_reached_total")

	s.t.Logf("FIGURES %s: uploaded %s in %.1f s, which cost the server %.1f s of processor time; resident %s before, %s at worst, %s after %.1f s; refused %v for %v; %s; %s",
		s.t.Name(), inMiB(s.uploaded.Load()), took.Seconds(), used.Seconds(), inMiB(s.before), inMiB(worst), inMiB(after), recovery.Seconds(), refusals, limits, honest, s.strangers())
	if !inTime {
		s.t.Errorf("the attack was cut off after %.1f s", took.Seconds())
	}
	if worst >= container {
		s.t.Errorf("%s were resident in a container of %s", inMiB(worst), inMiB(container))
	}
	if after > s.before+returned {
		s.t.Errorf("%s are resident %.0f s after the attack, before it %s were", inMiB(after), recovery.Seconds(), inMiB(s.before))
	}
	s.t.Logf("at the server that nobody attacked, %s", elsewhere)
	if honest.worst >= promptly+elsewhere.worst {
		s.t.Errorf("honest clients waited %v for an event, and %v at the other server", honest.worst, elsewhere.worst)
	}
	if s.keptOut.Load() > 0 || time.Duration(s.worstWait.Load()) >= firstWord+elsewhere.worst {
		s.t.Errorf("strangers were kept out: %s", s.strangers())
	}
	refused := len(refusedBy) == 0
	for _, problem := range refusedBy {
		refused = refused || refusals[problem] > 0
	}
	if !refused {
		s.t.Errorf("the attacker was not refused by any of %q but by %v", refusedBy, refusals)
	}
}

// expectAtMost logs a number, and fails the test if it is too large. The attack goes
// on, because its figures are wanted.
func (s *siege) expectAtMost(most, got int, what string) {
	s.t.Helper()
	s.t.Logf("FIGURES %s: %d %s", s.t.Name(), got, what)
	if got > most {
		s.t.Errorf("%d %s", got, what)
	}
}

// awaitRecovery waits until the server has given its memory back, and returns what is
// then resident. It does not wait long if the test has already failed.
func (s *siege) awaitRecovery() int64 {
	limit := within
	if s.t.Failed() {
		limit = time.Second
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	for ctx.Err() == nil && s.resident("VmRSS") > s.before+returned {
		rest(ctx, 100*time.Millisecond)
	}
	return s.resident("VmRSS")
}

var sample = regexp.MustCompile(`(?m)^(\w+)\{\w+="([^"]*)"\} (\S+)$`)

// counted returns the samples of a metric by their label, without zeros.
func (s *siege) counted(metric string) map[string]int {
	s.t.Helper()
	if s.killed.Load() {
		s.t.FailNow()
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dialAt(operatorAddress), DisableKeepAlives: true}}
	body, err := fetch(bounded(s.t), client, s.url+"/metrics")
	require.NoError(s.t, err)
	counts := make(map[string]int)
	for _, line := range sample.FindAllStringSubmatch(body, -1) {
		if value, err := strconv.ParseFloat(line[3], 64); err == nil && line[1] == metric && value > 0 {
			counts[line[2]] = int(value)
		}
	}
	return counts
}

// livingSockets returns how many sockets live, without those of the honest pair.
func (s *siege) livingSockets() int {
	s.t.Helper()
	sum := -2
	for _, n := range s.counted("signaling_sockets") {
		sum += n
	}
	return sum
}

func inMiB(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// needsFiles skips the test if this process may not open n files.
func needsFiles(t *testing.T, n uint64) {
	t.Helper()
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Max < n {
		t.Skipf("NOT TESTED: the attack needs %d open files, and %d are allowed", n, limit.Max)
	}
	limit.Cur = limit.Max
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}
