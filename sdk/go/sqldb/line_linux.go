package sqldb

import (
	"errors"
	"strings"
	"syscall"
)

const userTimeout = 18 // TCP_USER_TIMEOUT of linux/tcp.h, which syscall lacks

// giveUpUnheard has the system end a connection on which what was sent is not
// confirmed: else it sends again for a quarter of an hour.
func giveUpUnheard(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var err error
	return errors.Join(c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout, int(unheard.Milliseconds()))
	}), err)
}
