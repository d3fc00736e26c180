package fleet

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// FreePort returns a port that is not in use. No outgoing connection gets it, and no other
// call in this process.
func FreePort() (string, error) {
	for {
		port := strconv.Itoa(10_000 + rand.IntN(20_000)) // below the ports that Linux gives to outgoing connections
		if _, isTaken := takenPorts.LoadOrStore(port, true); isTaken {
			continue
		}
		listener, err := net.Listen("tcp", loopback(port))
		if err == nil {
			return port, listener.Close()
		}
	}
}

// takenPorts are the ports that FreePort has returned, or found in use.
var takenPorts sync.Map

func freePorts(count int) (ports []string, err error) {
	for len(ports) < count {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
