package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"sextant/sdk/go/plugin"
)

const codeReach = "host.reach"

// special are the addresses that lead to this machine, into its own network or to
// those who run it, besides those that netip knows by name.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "168.63.129.16/32", "fd00:ec2::/32",
)

func prefixes(all ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(all))
	for i, s := range all {
		list[i] = netip.MustParsePrefix(s)
	}
	return list
}

// reach says which special addresses may be asked all the same.
type reach []netip.Prefix

// readReach reads addresses and networks with commas or blanks between them.
func readReach(text string) (reach, error) {
	var all reach
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(word)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(word); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil {
			return nil, fmt.Errorf("plugins.reach: %q is neither an address nor a network such as 10.0.0.0/8", word)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// allows judges an address that is about to be dialled.
func (r reach) allows(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	in := func(list []netip.Prefix) bool {
		for _, p := range list {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	if in(r) {
		return true
	}
	return a.IsGlobalUnicast() && !in(special)
}

// dialer connects to allowed addresses alone. It looks at the address that is
// dialled, after names were resolved.
func (r reach) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: probeTimeout, KeepAlive: -1 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !r.allows(at.Addr()) {
			return plugin.Fail(codeReach, fmt.Sprintf("%s is an address of this machine or of a cloud's own services: list it in the server's setting plugins.reach if services may ask it", at.Addr()))
		}
		return nil
	}}
	return d.DialContext
}

// refusal is the refusal of an address in an error of the HTTP client; nil for
// another error.
func refusal(err error) *plugin.Error {
	var e *plugin.Error
	if errors.As(err, &e) && e.Code == codeReach {
		return e
	}
	return nil
}
