//go:build !linux

package db

import "os"

// allocate gives a file its blocks.
func allocate(f *os.File, size int64) error { return allocateByWriting(f, size) }
