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
	"sextant/sdk/go/ssh"
)

const (
	codeReach    = "host.reach"
	inputAddress = "address"
	inputPort    = "port"
)

// special are the addresses that lead to this machine, into its own network or to
// those who run it, besides those that netip knows by name.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "168.63.129.16/32", "fd00:ec2::/32",
)

// clouds are where clouds answer what only the machine itself should ask.
var clouds = prefixes("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::/32", "0.0.0.0/8", "240.0.0.0/4")

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
	return within(r, a) || a.IsGlobalUnicast() && !within(special, a)
}

// own judges the address of a host that somebody has registered, to log in there:
// it may lie on this machine, and nowhere where no host can be.
func (r reach) own(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return within(r, a) || a.IsLoopback() || a.IsGlobalUnicast() && !within(clouds, a)
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// control is a rule as a dialer takes it: it looks at the address that is dialled,
// after names were resolved.
func control(allowed func(netip.Addr) bool) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !allowed(at.Addr()) {
			return plugin.Fail(codeReach, fmt.Sprintf("%s is an address of this machine or of a cloud's own services: "+
				"list it in the server's setting plugins.reach if services may ask it", at.Addr()))
		}
		return nil
	}
}

// dialer connects to allowed addresses alone.
func (r reach) dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &net.Dialer{Timeout: probeTimeout, KeepAlive: -1 * time.Second, Control: control(r.allows)}
	return d.DialContext
}

// target is a host to log in to. An address that somebody typed is judged like
// every other that is asked for people.
func (r reach) target(call *plugin.Call, address string) ssh.Target {
	if call.Typed(inputAddress) || call.Typed(inputPort) {
		return ssh.Target{Address: address, Control: control(r.allows), Rule: "typed"}
	}
	return ssh.Target{Address: address, Control: control(r.own), Rule: "own"}
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
