//go:build race

package httpapi_test

// poolsForget reports whether sync.Pool drops what it is given at random, as it does
// under the race detector. What is allocated then says little.
const poolsForget = true
