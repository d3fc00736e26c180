package e2e

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// nodes is a folder with one Node.js of each version that the documents name, as npm
// delivers them.
var nodes = npmFolder{from: "nodes"}

// The server stops gracefully for three seconds. Each client comes back, on each Node.js
// that the documents name. In some of them a read never ends if it is aborted when the end
// of its stream is there already.
func TestTheClientComesBackOnEachNode(t *testing.T) {
	takesTurnsBuilding(t)
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("NOT TESTED: npm has these Node.js for Linux on amd64 only")
	}
	binaries, client := nodes.dir(t), webTools.dir(t)
	for _, version := range []string{"node-20", "node-22", "node-24"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			server := startRestartable(t)
			command := tool(t, client, filepath.Join(binaries, "node_modules", version, "bin", "node"), "returning.mjs", server.url)
			command.Stderr = os.Stderr
			stdout, err := command.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, command.Start())
			lines := make(chan string, 8)
			go read(stdout, lines) // ends with the process
			require.Equal(t, "connected", await(t, lines, "clients to connect"))
			server.end(syscall.SIGTERM)
			time.Sleep(3 * time.Second) // as long as a restart takes
			server.start()
			require.Equal(t, "10 of 10 are back", await(t, lines, "clients to come back"))
			require.NoError(t, command.Wait())
		})
	}
}

func read(from io.Reader, lines chan<- string) {
	for scanner := bufio.NewScanner(from); scanner.Scan(); {
		lines <- strings.TrimSpace(scanner.Text())
	}
}
