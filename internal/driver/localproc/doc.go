// Package localproc runs processes on this machine that outlive the platform.
//
// A process is started in a session of its own, with standard input from
// /dev/null and its output in a file, so that neither a closed terminal nor the
// end of the platform, however sudden, touches it. A file <name>.json in the run
// folder says which process it is: its pid, the moment it started in ticks since
// the boot, and the boot. All three have to match before anything is done to a
// process: a pid that was given to another process is never mistaken for it.
//
//	(nothing) ──intent written──► starting ──started, record written──► running
//	    ▲                            │ platform dies here:                 │
//	    │                            │ found by program, arguments         │
//	    │                            ▼ and address                         │
//	    └────────────────── ended, or stopped by Stop ◄───────────────────┘
//
// The intent is written and synced before the process is started, so that one
// whose platform died a moment later is found all the same and not started twice.
//
// The environment of a process is not stored: it may hold secrets. A process is
// replaced when its program (path or file), arguments or folder differ from what
// is asked, and not when its environment does.
//
// It works where /proc is that of Linux, and for one platform per run folder.
package localproc
