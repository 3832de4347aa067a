// Package ssh runs commands on hosts so that nothing is lost and nothing runs
// twice.
//
// A command is detached: it lives on the host in a folder named by its key,
// $HOME/.sextant/jobs/<digest>/, in a session of its own.
//
//	client ── payload ──► mkdir <digest> (the claim) ─► supervisor: pid, out, err, exit
//	  ▲                         │ exists already
//	  └──── first result ◄──────┘ wait for it
//
// A second start with the same key waits for the first command, or gives its
// result, and never runs it again. A lost connection or a killed client loses
// nothing. What cannot be known, a command whose process is gone without an
// exit code, is the error kind Unknown.
//
// The host needs a POSIX shell and the usual small tools (cat, mkdir, mv, head,
// tail, cut, sha256sum), nothing else. Arguments are quoted by construction;
// scripts, arguments and environment travel over the channel into files that
// only the user can read, and stand on no command line.
//
// Host keys are pinned. An unknown or changed key is refused.
package ssh
