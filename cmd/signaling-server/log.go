package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"signaling-server/httpapi"
)

// newLogger makes a log that machines read in production and people elsewhere. Each
// address has a share of it.
func newLogger(w io.Writer, c config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		panic(err) // the configuration was validated
	}
	if c.Environment == httpapi.Production {
		return slog.New(newLogSharer(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})))
	}
	return slog.New(newLogSharer(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)})))
}

// reportLeftOut tells of the lines that a log has left out, before it ends.
func reportLeftOut(logger *slog.Logger) {
	if sharer, ok := logger.Handler().(logSharer); ok {
		sharer.reportAll()
	}
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
