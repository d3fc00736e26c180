package main

import (
	"errors"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// twoCores returns two cores that this process may use.
func twoCores() (first, second int, err error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, 0, err
	}
	var cores []int
	for core := 0; core < 1024 && len(cores) < 2; core++ {
		if allowed.IsSet(core) {
			cores = append(cores, core)
		}
	}
	if len(cores) < 2 {
		return 0, 0, errors.New("this machine has one core: the figures need one for the server and one for the generator")
	}
	return cores[0], cores[1], nil
}

// startOn starts a program that uses one core only. It inherits the core from the
// thread that starts it.
func startOn(core int, command *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one.Set(core)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, &before) }()
	return command.Start()
}
