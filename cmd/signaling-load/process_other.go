//go:build !linux

package main

import (
	"errors"
	"time"
)

// usage is what a process has used.
type usage struct {
	processor time.Duration
	resident  int64 // bytes
}

func usageOf(int) (usage, error) {
	return usage{}, errors.New("-pid needs Linux: leave it out here")
}
