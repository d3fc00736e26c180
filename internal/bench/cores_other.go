//go:build !linux

package main

import (
	"errors"
	"os/exec"
)

func twoCores() (first, second int, err error) {
	return 0, 0, errors.New("make bench needs Linux, where programs can be kept to a core. Measure with cmd/signaling-load instead")
}

func startOn(_ int, command *exec.Cmd) error { return command.Start() }
