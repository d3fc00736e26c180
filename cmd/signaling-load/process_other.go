//go:build !linux

package main

import (
	"errors"
	"time"
)

// manyAddresses says that all of 127.0.0.0/8 is this machine.
const manyAddresses = false

func usageOfProcess(int) (processor time.Duration, resident int64, err error) {
	return 0, 0, errors.New("-pid needs Linux: use -metrics instead")
}
