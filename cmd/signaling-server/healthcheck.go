package main

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// healthcheck asks the server on this machine whether it is alive. A container
// image without a shell calls it.
func healthcheck(c config) error {
	client := http.Client{Timeout: 3 * time.Second}
	url := "http://" + net.JoinHostPort(cmp.Or(c.Host, "localhost"), strconv.Itoa(c.Port)) + "/livez"
	response, err := client.Get(url)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", response.Status)
	}
	return nil
}
