package ssh

import "errors"

// Kind is the class of an error.
type Kind string

// The kinds of errors.
const (
	Refused        Kind = "refused"     // the port is closed
	Unreachable    Kind = "unreachable" // no answer from the address
	HostKeyUnknown Kind = "host_key_unknown"
	HostKeyChanged Kind = "host_key_changed"
	Auth           Kind = "auth"
	Timeout        Kind = "timeout" // the command took too long and was ended
	Cancelled      Kind = "cancelled"
	HostKeyRevoked Kind = "host_key_revoked"
	Weak           Kind = "weak"     // the host offers only what is not safe any more
	Shell          Kind = "shell"    // the user's shell on the host runs no commands
	Invalid        Kind = "invalid"  // what was asked for cannot be done anywhere
	Path           Kind = "path"     // the place of a file is none for a file
	Lost           Kind = "lost"     // the connection broke before the command began
	Unknown        Kind = "unknown"  // nobody can tell whether the command was done
	Protocol       Kind = "protocol" // the host answers otherwise than expected
	Disk           Kind = "disk"     // the host cannot store the job
)

// Error is what went wrong on the way to or on a host.
type Error struct {
	Kind    Kind
	Address string
	Message string
	Err     error
	// Answered says that the host has said what became of the command.
	Answered bool
	// sure says that this call has begun nothing, so that it is what it was.
	sure bool
}

// Error is the message with the address.
func (e *Error) Error() string {
	s := e.Address + ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CertainlyNotRun reports whether the command did not begin, so that trying
// again does no harm.
func (e *Error) CertainlyNotRun() bool {
	switch e.Kind {
	case Refused, Unreachable, HostKeyUnknown, HostKeyChanged, HostKeyRevoked, Weak, Auth, Shell, Invalid, Path, Lost, Disk:
		return true
	}
	return false
}

// KindOf gives the kind of an error, empty where it is none of this package.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}
