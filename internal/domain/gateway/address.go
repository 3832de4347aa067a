package gateway

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"sextant/internal/kit/errs"
)

const dialFor = 10 * time.Second

// clouds are addresses at which a cloud tells its machines their secrets.
var clouds = []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("192.0.0.192/32")}

// possible reports whether a plugin may answer at an address: on this machine or on
// any other, and nowhere where no plugin can be.
func possible(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range clouds {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsLoopback() || a.IsGlobalUnicast()
}

// dial connects to a plugin. The address is judged when it is dialled, after its name
// was resolved.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialFor, Control: func(_, at string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(at)
		if err == nil && !possible(to.Addr()) {
			err = fmt.Errorf("gateway: no plugin can be at %s", to.Addr())
		}
		return err
	}}
	return d.DialContext(ctx, network, address)
}

// CheckAddress judges the address of a plugin as an administrator gives it: http or
// https, a host and a port, and TLS off this machine unless plain says that plain HTTP
// is consented to. Returns Invalid if it will not do.
func CheckAddress(address string, plain bool) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return refuse("plugin.url", "%q is no address of a plugin: want http://host:port or https://host:port", address)
	}
	host, err := netip.ParseAddr(u.Hostname())
	if err == nil && !possible(host) {
		return refuse("plugin.address", "no plugin can be at %s: that address is of no machine, or of a cloud's own services", host)
	}
	here := err == nil && host.IsLoopback() || u.Hostname() == "localhost"
	if u.Scheme == "http" && !here && !plain {
		return refuse("plugin.address_tls",
			"the plugin's token would go to %s in clear: give an address with https, or set tls.insecure if the way there is private", u.Host)
	}
	return nil
}

func refuse(code, format string, args ...any) error {
	e := errs.New(errs.Invalid, code, format, args...)
	return e.At(errs.Field{Path: "url", Code: code, Message: e.Message})
}
