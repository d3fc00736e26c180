package cluster

import (
	"sync"
	"time"
)

// Figures are what a node has measured since it began.
type Figures struct {
	Appends       uint64        // records that this node has appended
	Failures      uint64        // attempts to append that failed
	Commands      uint64        // that these records carried
	Appending     time.Duration // that the appends took together
	Applied       uint64        // commands that this node has applied, of all nodes
	Applying      time.Duration // that this took
	Fetched       uint64        // records that were missing, and fetched
	SnapshotBytes int           // of the newest snapshot that this node has taken
	SnapshotAt    time.Time     // when it was taken; zero: none was
	LongestPause  time.Duration // for which a snapshot has stopped the application
}

// measures counts the figures. Any goroutine may call its methods.
type measures struct {
	mu      sync.Mutex // guards what follows
	figures Figures
}

func (m *measures) update(how func(f *Figures)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	how(&m.figures)
}

func (m *measures) appended(took time.Duration, commands int) {
	m.update(func(f *Figures) { f.Appends++; f.Commands += uint64(commands); f.Appending += took })
}

func (m *measures) failed() { m.update(func(f *Figures) { f.Failures++ }) }

func (m *measures) fetched() { m.update(func(f *Figures) { f.Fetched++ }) }

func (m *measures) applied(took time.Duration, commands int) {
	m.update(func(f *Figures) { f.Applied += uint64(commands); f.Applying += took })
}

func (m *measures) paused(took time.Duration) {
	m.update(func(f *Figures) { f.LongestPause = max(f.LongestPause, took) })
}

func (m *measures) kept(bytes int) {
	m.update(func(f *Figures) { f.SnapshotBytes, f.SnapshotAt = bytes, time.Now() })
}

// Figures returns what this node has measured.
func (n *Node) Figures() Figures {
	n.measures.mu.Lock()
	defer n.measures.mu.Unlock()
	return n.measures.figures
}
