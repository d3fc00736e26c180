package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"signaling-server/httpapi"
	"signaling-server/internal/telemetry"
)

// newLogger returns a logger that writes JSON in production, and text for people
// elsewhere. Each address has a share of the log, and what operators do is logged at any level:
// see [logSharer].
func newLogger(w io.Writer, c config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		panic(err) // loadConfig validated the level
	}
	written := min(level, slog.LevelInfo)
	if c.Environment == httpapi.Production {
		return slog.New(newLogSharer(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: written}), level))
	}
	return slog.New(newLogSharer(tint.NewTextHandler(w, &tint.Options{Level: written, TimeFormat: time.TimeOnly, NoColor: !isInColor(w)}), level))
}

// exporting returns the logger, which also exports what it logs. An address cannot have more
// exported than its share of the log.
func exporting(logger *slog.Logger, t *telemetry.Telemetry) *slog.Logger {
	sharer, ok := logger.Handler().(logSharer)
	if !ok || t == nil {
		return logger
	}
	sharer.Handler = t.Handler(sharer.Handler)
	return slog.New(sharer)
}

// reportLeftOut logs how many lines were left out since this was last logged. It is
// called before the process ends.
func reportLeftOut(logger *slog.Logger) {
	if sharer, ok := logger.Handler().(logSharer); ok {
		sharer.reportAll()
	}
}

// isInColor reports whether a text may have colors: it goes to a terminal, and nobody minds
// (https://no-color.org).
func isInColor(w io.Writer) bool { return isTerminal(w) && os.Getenv("NO_COLOR") == "" }

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
