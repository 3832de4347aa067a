package api

import (
	"net"

	"github.com/danielgtaylor/huma/v2"
)

// Caller tells an endpoint where a request comes from. Embed it in the input.
type Caller struct {
	origin string
	secure bool
}

// Resolve reads it from the request.
func (c *Caller) Resolve(ctx huma.Context) []error {
	c.origin, c.secure = ctx.RemoteAddr(), ctx.TLS() != nil
	if host, _, err := net.SplitHostPort(c.origin); err == nil {
		c.origin = host
	}
	return nil
}

// Origin is the address that asks, without its port.
func (c *Caller) Origin() string { return c.origin }

// Secure reports whether the request came over TLS.
func (c *Caller) Secure() bool { return c.secure }
