package server

import "runtime/debug"

const (
	usualCollection = 100 // per cent of what is in use that is made before the collector comes
	rareCollection  = 200
)

// CollectLess has the garbage collector of a process that runs a server come half as
// often: little is kept beside what each request throws away. What the environment
// variable GOGC says counts more.
func CollectLess() {
	if was := debug.SetGCPercent(rareCollection); was != usualCollection {
		debug.SetGCPercent(was)
	}
}
