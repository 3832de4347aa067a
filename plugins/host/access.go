package host

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
	"sextant/sdk/go/wire"
)

// States of a host.
const (
	stateUp      = "up"
	stateDown    = "down"
	stateUnknown = "unknown"
)

const sshPort = 22

// access is how a row reaches its host.
type access struct {
	Address string `sx:"address,required,from=path,expr=.address" pattern:"\\s*(\\[[0-9A-Fa-f:.]+(%[0-9A-Za-z._-]+)?\\]|[^\\s/@:]+)(:[0-9]{1,5})?\\s*|[0-9A-Fa-f:.]+" title:"en=Address;zh=地址" doc:"Host, or host and port with a colon between." zh:"主机，或“主机:端口”。"`
	Port    int    `sx:"port,from=path,expr=.port" title:"en=Port;zh=端口" doc:"SSH port where the address has none; else that of the connection, else 22." zh:"地址中没有端口时使用的 SSH 端口；不填则取连接中的，否则为 22。"`
	User    string `sx:"user,from=path,expr=.user" title:"en=User;zh=用户" doc:"User on the host; else that of the connection." zh:"主机上的用户；不填则取连接中的。"`
	HostKey string `sx:"host_key,type=text,from=path,expr=.host_key" pattern:"(?:[ \\t]*(?:#.*|(?:@revoked[ \\t]+)?(?:SHA256:[A-Za-z0-9+/]{43}=?|(?:[^\\s#]+[ \\t]+)?(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+[ \\t]+[A-Za-z0-9+/]+=*)(?:[ \\t].*)?)?\\r?\\n?)*" title:"en=Host keys;zh=主机密钥" doc:"Host keys, one a line: public keys or fingerprints SHA256:…; else those of the connection." zh:"主机密钥，每行一个：公钥或 SHA256:… 指纹；不填则取连接中的。"`

	Credential connection `sx:"credential,type=connection,required,secret,fields=password|private_key" title:"en=Connection;zh=连接" doc:"Connection that logs in to the host." zh:"用于登录主机的连接。"`
}

// connection is what a connection of the platform holds for SSH.
type connection struct {
	User       string        `json:"user"`
	Password   plugin.Secret `json:"password"`
	PrivateKey plugin.Secret `json:"private_key"`
	Passphrase plugin.Secret `json:"passphrase"`
	HostKeys   []string      `json:"host_keys"`
	Port       int           `json:"port"`
}

// endpoint puts host and port together.
func endpoint(address string, ports ...int) (string, error) {
	address = strings.TrimSpace(address)
	if host, port, err := net.SplitHostPort(address); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || host == "" {
			return "", plugin.Fail("host.address", "the address "+address+" has no host, or no port from 1 to 65535")
		}
		return address, nil
	}
	port := cmp.Or(ports...)
	host := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if host == "" || port < 1 || port > 65535 || strings.ContainsAny(host, " /@\x00") ||
		strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "",
			plugin.Fail("host.address", "the address "+strconv.Quote(address)+" with port "+strconv.Itoa(port)+" is none: want a host, or host:port")
	}
	return net.JoinHostPort(host, strconv.Itoa(port)), nil
}

// at resolves an access to what the SSH client wants.
func (a access) at(on reach, call *plugin.Call) (ssh.Target, ssh.Credential, error) {
	c := a.Credential
	address, err := endpoint(a.Address, a.Port, c.Port, sshPort)
	if err != nil {
		return ssh.Target{}, ssh.Credential{}, err
	}
	keys := c.HostKeys
	if strings.TrimSpace(a.HostKey) != "" {
		keys = strings.Split(a.HostKey, "\n")
	}
	user := cmp.Or(strings.TrimSpace(a.User), c.User)
	if user == "" {
		return ssh.Target{}, ssh.Credential{}, plugin.Fail("host.user", "neither the host nor the connection names a user")
	}
	if c.Password == "" && c.PrivateKey == "" {
		return ssh.Target{}, ssh.Credential{}, plugin.Fail("host.credential", "the connection has neither a password nor a private key")
	}
	to := on.target(call, address)
	to.HostKeys = keys
	return to, ssh.Credential{User: user, Password: string(c.Password), PrivateKey: string(c.PrivateKey), Passphrase: string(c.Passphrase)},
		nil
}

// outcome turns what the SSH client says into the outcome of a row: failed only
// where nothing was done or the host said so.
func outcome(ctx context.Context, err error) error {
	var e *ssh.Error
	if !errors.As(err, &e) {
		return err
	}
	var timedOut *plugin.Error
	switch e.Kind {
	case ssh.Refused, ssh.Unreachable, ssh.Lost:
		code := map[ssh.Kind]string{ssh.Refused: "host.refused", ssh.Unreachable: "host.unreachable", ssh.Lost: "host.lost"}[e.Kind]
		return plugin.Transient("transport", plugin.Fail(code, e.Error()))
	case ssh.HostKeyUnknown:
		return plugin.Fail("host.key_unknown", e.Error())
	case ssh.HostKeyChanged:
		return plugin.Fail("host.key_changed", e.Error())
	case ssh.Auth:
		return plugin.Fail("host.auth", e.Error())
	case ssh.Disk:
		return plugin.Fail("host.disk", e.Error())
	case ssh.Shell:
		return plugin.Fail("host.shell", e.Error())
	case ssh.Weak:
		return plugin.Fail("host.weak", e.Error())
	case ssh.Path:
		return plugin.Fail("host.path", e.Error())
	case ssh.HostKeyRevoked:
		return plugin.Fail("host.key_revoked", e.Error())
	case ssh.Invalid:
		return plugin.Fail("input.value", e.Error())
	case ssh.Timeout:
		if errors.As(context.Cause(ctx), &timedOut) {
			return timedOut
		}
		return plugin.TimedOut(e.Error())
	case ssh.Cancelled:
		return &plugin.Error{Outcome: wire.OutcomeCancelled, Code: "cancelled", Message: e.Error()}
	}
	return &plugin.Error{Outcome: wire.OutcomeUnknown, Code: "host.unknown", Message: e.Error()}
}

// stateAfter is what an attempt tells about a host: it is up only where the host
// that is meant has answered, which one that shows another key has not.
func stateAfter(err error) string {
	var e *ssh.Error
	switch {
	case err == nil, errors.As(err, &e) && e.Answered:
		return stateUp
	case e == nil:
		return stateUnknown
	}
	switch e.Kind {
	case ssh.Refused, ssh.Unreachable:
		return stateDown
	case ssh.Shell, ssh.Disk, ssh.Path: // it let us in, and said so
		return stateUp
	}
	return stateUnknown
}
