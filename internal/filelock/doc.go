// Package filelock keeps two processes from using the same files.
package filelock
