// Package filelock keeps two processes from using the same files.
package filelock

import "errors"

// ErrLocked: another process has locked the file.
var ErrLocked = errors.New("filelock: another process has locked the file")
