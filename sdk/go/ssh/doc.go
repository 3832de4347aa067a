// Package ssh runs commands on hosts so that nothing is lost, nothing runs twice
// and nothing that was stopped goes on.
//
// A command is detached: it lives on the host in a folder named by its key,
// $HOME/.sextant/jobs/<digest>/, in a session of its own.
//
//	client ◄── greeting ─── /bin/sh         nothing is sent before the shell speaks
//	  │                       │
//	  └─── files, sums ──► mkdir <digest> (the claim) ─► checked ─► supervisor ─► command
//	  ◄── live, done ──────── follows it        │ exists already
//	                             ▲──────────────┘
//
// A second start with the same key follows the first command, or gives its
// result, and never runs it again. A lost connection or a killed client loses
// nothing. What cannot be known, a command whose process is gone without an
// exit code, is the error kind Unknown.
//
// Files in the folder: script and, of larger commands, run and stdin (emptied at the
// end), out and err, and leader, stop and exit, which have their room from the
// beginning and are only written over: a disk that is full later takes no exit code
// away.
// Whoever stops a command first writes stop and then looks for its processes; the
// command first says who it is and then looks at stop. So it does not begin, or
// it is found: by its session, by a variable of a name of its own that every
// child inherits, by a control group where that is allowed, and by descent.
//
// The host needs a POSIX shell and the usual small tools (cat, chmod, grep, head,
// mkdir, mv, rm, setsid, sha256sum, sleep, tail, wc), nothing else. The log-in
// shell may be another one, such as fish, and may print what it likes. Arguments
// are quoted by construction; scripts, arguments and environment travel over the
// channel into files that only the user can read, and stand on no command line.
//
// Host keys are pinned. An unknown or changed key is refused.
package ssh
