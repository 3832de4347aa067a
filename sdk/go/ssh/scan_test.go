package ssh_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"sextant/sdk/go/ssh"
	"sextant/sdk/go/ssh/sshtest"
)

// A scan tells every key of a host, each as a pin takes it and as ssh-keygen
// prints it.
func TestAScanTellsEveryKeyOfAHost(t *testing.T) {
	t.Parallel()
	ecdsa, ecdsaLine, ecdsaPrint := keygen(t, "-t", "ecdsa")
	rsa, _, rsaPrint := keygen(t, "-t", "rsa", "-b", "2048")
	s := sshtest.Start(t, "HostKey "+rsa, "HostKey "+ecdsa)
	keys, err := ssh.Scan(t.Context(), ssh.Target{Address: s.Address})
	if err != nil {
		t.Fatal(err)
	}
	var prints, lines []string
	for _, k := range keys {
		prints, lines = append(prints, k.Fingerprint), append(lines, k.Line)
	}
	if len(keys) != 3 || keys[0].Kind != "ssh-ed25519" || !slices.Contains(prints, ecdsaPrint) || !slices.Contains(prints, rsaPrint) {
		t.Errorf("%+v", keys)
	}
	if want := strings.Join(strings.Fields(ecdsaLine)[:2], " "); !slices.Contains(lines, want) {
		t.Errorf("%q has no %q", lines, want)
	}
	if !strings.HasPrefix(strings.TrimSpace(s.HostKey), lines[0]) {
		t.Errorf("%q is not the line of %q", lines[0], s.HostKey)
	}
}

func TestAScanOfNothingSaysSo(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ssh.Scan(t.Context(), ssh.Target{Address: address}); ssh.KindOf(err) != ssh.Refused {
		t.Errorf("%v", err)
	}
}
