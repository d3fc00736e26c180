//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows

package filelock_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/filelock"
)

func TestAFileIsLockedUntilItIsClosed(t *testing.T) {
	open := func(path string) *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() }) // an error means that it is closed already
		return f
	}
	path := filepath.Join(t.TempDir(), "lock")
	first, second := open(path), open(path)
	require.NoError(t, filelock.Lock(first))
	require.ErrorIs(t, filelock.Lock(second), filelock.ErrLocked)
	require.NoError(t, first.Close())
	require.NoError(t, filelock.Lock(second))
}
