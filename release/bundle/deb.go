package bundle

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	contents "github.com/goreleaser/nfpm/v2/files"
)

// debian writes the Debian package of a target.
func (o *Options) debian(t Target, program string) error {
	dir, err := os.MkdirTemp("", "sextant-deb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"sextant.service", "sextant.yaml", "postinst", "prerm", "postrm"} {
		data, err := files.ReadFile("files/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	place := func(from, to, kind string, mode os.FileMode) *contents.Content {
		return &contents.Content{Source: from, Destination: to, Type: kind,
			FileInfo: &contents.ContentFileInfo{Mode: mode, Owner: "root", Group: "root", MTime: o.Time}}
	}
	version := DebianVersion(o.Version)
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "sextant", Arch: t.Arch, Platform: "linux", Version: version, VersionSchema: "none",
		Section: "admin", Priority: "optional", MTime: o.Time, DisableGlobbing: true,
		Maintainer: "Sextant <sextant@localhost>", License: "Apache-2.0",
		Description: "operations platform in one program\nSextant turns scripts, playbooks and plugins into services on your objects,\n" +
			"joins services into processes, and starts them through one door.",
		Overridables: nfpm.Overridables{
			Depends: []string{"passwd"}, Recommends: []string{"systemd"},
			Contents: contents.Contents{
				place(program, "/usr/bin/sextant", contents.TypeFile, 0o755),
				place(filepath.Join(dir, "sextant.service"), "/usr/lib/systemd/system/sextant.service", contents.TypeFile, 0o644),
				place(filepath.Join(dir, "sextant.yaml"), "/etc/sextant/sextant.yaml", contents.TypeConfig, 0o644),
				place(filepath.Join(o.Root, "LICENSE"), "/usr/share/doc/sextant/copyright", contents.TypeFile, 0o644),
			},
			Scripts: nfpm.Scripts{PostInstall: filepath.Join(dir, "postinst"), PreRemove: filepath.Join(dir, "prerm"),
				PostRemove: filepath.Join(dir, "postrm")},
		},
	})
	return o.write("sextant_"+version+"_"+t.Arch+".deb", func(w io.Writer) error { return deb.Default.Package(info, w) })
}

var described = regexp.MustCompile(`-([0-9]+)-g([0-9a-f]+)`)

// DebianVersion writes a version in a way that dpkg orders rightly: commits after a
// tag follow it, a pre-release comes before its release, and what has no tag comes
// before everything.
func DebianVersion(version string) string {
	v := described.ReplaceAllString(version, "+$1.g$2")
	if rest, ok := strings.CutPrefix(v, "v"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		v = rest
	} else if !strings.Contains(v, ".") {
		v = "0~" + v
	}
	return strings.ReplaceAll(v, "-", "~")
}
