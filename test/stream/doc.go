// Package stream proves what a plugin streams through the border of the platform: in
// both directions, within its limits, in flat memory, and with nothing of it touching
// the platform. The plugin is a process of its own.
package stream
