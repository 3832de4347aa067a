package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

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
	case Refused, Unreachable, HostKeyUnknown, HostKeyChanged, Auth, Lost, Disk:
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

func dialError(ctx context.Context, address string, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Refused, address, "the connection was refused: does sshd run there, on this port?", nil}
	case strings.Contains(err.Error(), "unable to authenticate"):
		return &Error{Auth, address, "the host accepts neither the key nor the password of this user", nil}
	case ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Unreachable, address, "the host did not answer in time", nil}
	}
	return &Error{Unreachable, address, "the host cannot be reached", err}
}

func keyError(kind Kind, address, presented string) *Error {
	if kind == HostKeyUnknown {
		return &Error{kind, address, fmt.Sprintf("no host key is pinned; it presents %s: compare that with the host and pin it", presented), nil}
	}
	return &Error{kind, address, fmt.Sprintf("its host key has changed to %s: somebody may be in between; pin the new key only if the host was set up anew", presented), nil}
}
