package main

// A flow is what a receiver knows of the events from one sender. It finds out which
// were lost, doubled or reordered. Its zero value awaits number 1.
type flow struct {
	highest            int
	missing            map[int]struct{} // below highest
	doubled, reordered int
}

// arrived takes in one event, and reports whether it came for the first time.
func (f *flow) arrived(number int) (isNew bool) {
	if number == f.highest+1 {
		f.highest = number
		return true
	}
	if number > f.highest {
		if f.missing == nil {
			f.missing = make(map[int]struct{})
		}
		for n := f.highest + 1; n < number; n++ {
			f.missing[n] = struct{}{}
		}
		f.highest = number
		return true
	}
	if _, isMissing := f.missing[number]; isMissing {
		delete(f.missing, number)
		f.reordered++
		return true
	}
	f.doubled++
	return false
}

// lost returns how many of the accepted events did not arrive: the numbers up to
// the last without those that were refused.
func (f *flow) lost(last int, refused map[int]struct{}) (lost int) {
	for n := range f.missing {
		if _, ok := refused[n]; !ok {
			lost++
		}
	}
	for n := f.highest + 1; n <= last; n++ {
		if _, ok := refused[n]; !ok {
			lost++
		}
	}
	return lost
}
