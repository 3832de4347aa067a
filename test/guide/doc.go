// Package guide runs the commands of the documents as their readers do:
// block by block, in the program that `make build` makes, in a fresh folder, with a
// real sshd for the host.
//
// A fence `sh` holds commands. Each ends with exit code 0, unless a comment behind
// it says `exit code 4`. A fence `text` is what the command before it prints; `…`
// stands for what differs each time, and so do keys, times, durations and digests.
// `<run>`, `<task>`, `<incident>` and the like are looked up as a reader would. A
// command that does not come back, such as a server, keeps a terminal of its own.
package guide
