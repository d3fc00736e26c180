package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
)

// lookUp asks DNS for the server's name, and connects to each address.
func (e *examiner) lookUp(ctx context.Context) outcome {
	if proxy := e.proxy(); proxy != "" {
		return found(Finding{"names", Info, "A proxy looks up the name", fmt.Sprintf("This device reaches the server through the proxy %s, as HTTPS_PROXY or HTTP_PROXY says.", proxy), nothing, nil})
	}
	host, port := e.Server.Hostname(), portOf(e)
	looking, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(looking, "ip", host)
	if err != nil {
		return outcome{[]Finding{{"names", Bad, "The name leads nowhere", fmt.Sprintf("DNS knows no address of %s.", host), say(correctRecords, "host", host), nil}}, true}
	}
	errs := e.connectToEach(ctx, addresses, port)
	var texts, silent []string
	answering := 0
	for i, address := range addresses {
		text := address.Unmap().String()
		texts = append(texts, text)
		switch {
		case errs[i] == nil:
			answering++
		case !isOwnFault(errs[i]) || len(addresses) == 1:
			silent = append(silent, text)
		}
	}
	names := Finding{"names", Good, "The name leads to the server", fmt.Sprintf("%s is %s.", host, list(texts)), nothing, nil}
	switch {
	case answering == 0:
		return outcome{[]Finding{{"names", Bad, "Nothing answers at this address", fmt.Sprintf("No connection to port %s of %s: %s.", port, list(texts), reason(errs[0])), say(letPortThrough, "port", port), nil}}, true}
	case len(silent) > 0:
		return found(Finding{"names", Warn, "Some addresses do not answer", fmt.Sprintf("%s is %s, but nothing answers at port %s of %s.", host, list(texts), port, list(silent)), say(correctRecords, "host", host), nil})
	case answering < len(addresses):
		names.Text += " This device has no way to some of them, so they were not tried."
	}
	return found(names)
}

func (e *examiner) connectToEach(ctx context.Context, addresses []netip.Addr, port string) []error {
	errs := make([]error, len(addresses))
	var connecting sync.WaitGroup
	for i, address := range addresses {
		connecting.Go(func() {
			dialer := net.Dialer{Timeout: e.Timeout}
			connection, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(address.String(), port))
			if err == nil {
				connection.Close()
			}
			errs[i] = err
		})
	}
	connecting.Wait()
	return errs
}

// isOwnFault reports whether this device has no way to an address, as many have none by IPv6.
func isOwnFault(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// proxy returns the host of the proxy that this device uses for the server, or "".
func (e *examiner) proxy() string {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: e.Server})
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host
}

func portOf(e *examiner) string {
	switch {
	case e.Server.Port() != "":
		return e.Server.Port()
	case e.Server.Scheme == "https":
		return "443"
	}
	return "80"
}

// reason returns the last part of an error, which says most to people.
func reason(err error) string {
	if isTimeout(err) {
		return "no answer in time"
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

// sentence is reason as a sentence.
func sentence(err error) string {
	text := reason(err)
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
