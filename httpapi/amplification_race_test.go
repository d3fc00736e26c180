//go:build race

package httpapi_test

// poolsForget is true if sync.Pool drops items at random, as it does under the race
// detector. Then the number of allocated bytes says little.
const poolsForget = true
