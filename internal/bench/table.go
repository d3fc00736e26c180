package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// write prints the table of all figures, in Markdown.
func (b *bench) write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| figure\t| this server\t| floor\t| ratio\t| must\t| aim\t|\n| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|\n")
	for _, f := range b.chosen {
		ours, floor := b.values(f)
		ratios := make([]float64, len(ours))
		for i := range ratios {
			ratios[i] = ours[i] / floor[min(i, len(floor)-1)]
		}
		fmt.Fprintf(t, "| %s\t| %s %s\t| %s %s\t| %s\t| %s\t| %s\t|\n", f.what, spread(ours), f.unit, spread(floor), f.unit, spread(ratios), f.must, f.aim)
	}
	_ = t.Flush()
	fmt.Fprintf(w, "\nMedians of %d runs (lowest – highest). A figure is of one run if it has no spread.\n", b.runs)
}

// spread writes the median, and the lowest and highest value.
func spread(values []float64) string {
	sorted := slices.Sorted(slices.Values(values))
	median := (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
	if len(sorted) == 1 {
		return short(median)
	}
	return fmt.Sprintf("%s (%s – %s)", short(median), short(sorted[0]), short(sorted[len(sorted)-1]))
}

// short writes a number with three digits.
func short(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
