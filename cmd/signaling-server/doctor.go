package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signaling-server/cmd/signaling-server/doctor"
	"signaling-server/httpapi/origins"
)

// Exit codes of the command doctor.
const (
	exitGood  = 0
	exitWrong = 1
	exitUsage = 2
)

// examine executes the command doctor, and returns the exit code.
func examine(p process) int {
	o, asJSON, err := doctorOptions(p)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitGood
	case err != nil:
		fmt.Fprintf(p.stderr, "signaling-server doctor: %v; -h explains the command.\n", err)
		return exitUsage
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped := make(chan struct{})
	go func() { // ends with this function
		select {
		case <-p.signals:
			close(stopped)
			cancel()
		case <-ctx.Done():
		}
	}()
	progress := doctor.NewProgress(p.stderr, isTerminal(p.stderr), isInColor(p.stderr))
	o.Began, o.Ended = progress.Began, progress.Ended
	report := doctor.Run(ctx, o)
	if asJSON {
		encoder := json.NewEncoder(p.stdout)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		report.Write(p.stdout, isInColor(p.stdout))
	}
	select {
	case <-stopped:
		fmt.Fprintln(p.stderr, "signaling-server doctor: it was stopped, so the last checks are not complete.")
		return exitWrong
	default:
	}
	if err != nil || len(report.Faults()) > 0 {
		return exitWrong
	}
	return exitGood
}

// doctorOptions reads the command line. It prints the help if that is asked for.
func doctorOptions(p process) (o doctor.Options, asJSON bool, err error) {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.Origin, "origin", "", "try the server for pages of this `origin` too, such as https://app.example.com")
	flags.StringVar(&o.AccessToken, "access-token", "", "an access `token`, to try a room; rather use the variable ACCESS_TOKEN, which other users of this device cannot see")
	flags.DurationVar(&o.Timeout, "timeout", 5*time.Second, "how long to wait for each answer, 100ms to 1m")
	flags.DurationVar(&o.Wait, "wait", 12*time.Second, "how long to leave a stream idle, 1s to 3m; 70s finds the usual limits of proxies")
	flags.BoolVar(&asJSON, "json", false, "write the report as JSON")
	var addresses []string
	for rest := p.args[1:]; len(rest) > 0; { // options may follow the URL
		if err := flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				fmt.Fprint(p.stdout, "signaling-server doctor tries all that a client needs on its way to a server, and says what to change.\n\n"+
					"Usage:\n  signaling-server doctor [options] URL\n\nOptions:\n")
				flags.SetOutput(p.stdout)
				flags.PrintDefaults()
				fmt.Fprint(p.stdout, "\nThe exit status is 0 if all is well, 1 if something is wrong, and 2 if the command is wrong.\n")
			}
			return o, asJSON, err
		}
		if flags.NArg() == 0 {
			break
		}
		addresses, rest = append(addresses, flags.Arg(0)), flags.Args()[1:]
	}
	o.AccessToken = cmp.Or(o.AccessToken, variable(p.environment, "ACCESS_TOKEN"))
	if len(addresses) != 1 {
		return o, asJSON, errors.New("give one URL, such as https://signaling.example.com")
	}
	if o.Server, err = serverURL(addresses[0]); err != nil {
		return o, asJSON, err
	}
	if o.Timeout < 100*time.Millisecond || o.Timeout > time.Minute {
		return o, asJSON, errors.New("-timeout must be from 100ms to 1m")
	}
	if o.Wait < time.Second || o.Wait > 3*time.Minute {
		return o, asJSON, errors.New("-wait must be from 1s to 3m")
	}
	if o.Origin != "" {
		if _, err := origins.Parse([]string{o.Origin}); err != nil || strings.Contains(o.Origin, "*") {
			return o, asJSON, errors.New("-origin must be one origin, such as https://app.example.com")
		}
	}
	return o, asJSON, nil
}

// serverURL reads the URL of a server. The error does not repeat the URL: it may hold a
// password.
func serverURL(text string) (*url.URL, error) {
	address, err := url.Parse(strings.TrimSpace(text))
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Hostname() == "" {
		return nil, errors.New("the URL must begin with https:// or http://, and name a host")
	}
	if port := address.Port(); port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return nil, errors.New("the port in the URL must be from 1 to 65535")
		}
	}
	if address.RawQuery != "" || address.Fragment != "" {
		return nil, errors.New("the URL must have neither a query nor a fragment")
	}
	return address, nil
}

func variable(environment []string, name string) (value string) {
	for _, each := range environment {
		if text, found := strings.CutPrefix(each, name+"="); found {
			value = text
		}
	}
	return value
}
