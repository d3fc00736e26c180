//go:build !unix

package main

// maxDescriptors returns 0: the number is not known on this system.
func maxDescriptors() int { return 0 }
