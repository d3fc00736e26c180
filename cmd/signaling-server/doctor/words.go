package doctor

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// These functions write figures and lists as static/doctor/words.js does.

func duration(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", math.Round(ms))
	case ms < 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case ms < 120_000:
		return fmt.Sprintf("%.0f s", ms/1000)
	case ms < 7_200_000:
		return fmt.Sprintf("%.0f minutes", ms/60_000)
	case ms < 172_800_000:
		return fmt.Sprintf("%.0f hours", ms/3_600_000)
	}
	return fmt.Sprintf("%.0f days", ms/86_400_000)
}

func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%v s", math.Round(d.Seconds()*10)/10)
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

func plural(count int, one string) string {
	if count == 1 {
		return "1 " + one
	}
	if strings.HasSuffix(one, "ss") {
		return fmt.Sprintf("%d %ses", count, one)
	}
	return fmt.Sprintf("%d %ss", count, one)
}

func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// statuses are what proxies mean by a status.
var statuses = map[int]string{
	401: ": a token was missing",
	403: ": forbidden",
	407: ": a proxy wants a password",
	451: ": blocked by law",
	502: ": a proxy could not reach the server",
	504: ": a proxy waited too long",
}

func answered(request string, status int) string {
	if status < 400 {
		return request + " was answered in place of the server"
	}
	return fmt.Sprintf("%s was refused with status %d%s", request, status, statuses[status])
}

// say fills in a text. It replaces ${name} by the value that follows the name.
func say(text string, namesAndValues ...string) string {
	for i := 0; i < len(namesAndValues); i += 2 {
		text = strings.ReplaceAll(text, "${"+namesAndValues[i]+"}", namesAndValues[i+1])
	}
	return text
}

func trimSlash(address string) string { return strings.TrimRight(address, "/") }
