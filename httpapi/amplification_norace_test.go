//go:build !race

package httpapi_test

// poolsForget reports whether sync.Pool drops what it is given at random.
const poolsForget = false
