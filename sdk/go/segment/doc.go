// Package segment keeps logs on disk: records that are only ever added, read by
// position, by time and by word.
//
//	append ─► journal ──512 KiB──► block, compressed ──64 MiB──► sealed segment
//	          (frames)             (in the open segment)         (with a table of its blocks)
//
// A log is a folder with one journal and any number of segments:
//
//	journal              the newest records, a frame for each append
//	<first position>.seg blocks, each a head (times, streams, word filter) and its records
//
// What an append returned for was written: it outlives the process at once, and
// a power cut once Sync has returned. A frame that a crash cut short was never
// acknowledged and is cut off at the next open. A frame that is whole and wrong
// is damage: it is left out and told as a gap, at its place, never as text. Every
// file has a salt of its own in its check sums, so that nobody who writes into a
// log can make a record look like a frame.
//
// Positions only grow. A reader that gives back the position after the last
// record that it saw misses nothing and gets nothing twice.
//
// A filter per block says which words certainly do not stand in it, so that a
// search reads few blocks. Where bodies are pieces of one text (Options.Joined),
// a line that goes over the border of two blocks counts to the one it ends in.
//
// The package knows nothing of jobs, rights or secrets; what is written here is
// what is read.
package segment
