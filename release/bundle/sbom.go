package bundle

import (
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licensecheck"
)

// bill writes the bill of materials: what the programs are linked from, as they say
// themselves, and what the console is built from, as its lock file says.
func (o *Options) bill(ctx context.Context, programs []string) error {
	modules, goVersion, err := linked(programs)
	if err != nil {
		return err
	}
	folders, err := o.moduleFolders(ctx)
	if err != nil {
		return err
	}
	std := component("golang", "std", strings.TrimPrefix(goVersion, "go"))
	std.Licenses = licensed("BSD-3-Clause")
	all := []cdx.Component{std}
	for _, m := range modules {
		c := component("golang", m.Path, m.Version)
		if folders[m.Path] == "" {
			return fmt.Errorf("the module %s is not in the module cache", m.Path)
		}
		if c.Licenses, err = licenses(folders[m.Path]); err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: m.Sum}}
		all = append(all, c)
	}
	console, err := packages(filepath.Join(o.Root, "web", "package-lock.json"))
	if err != nil {
		return err
	}
	all = append(all, console...)
	slices.SortFunc(all, func(a, b cdx.Component) int { return cmp.Compare(a.PackageURL, b.PackageURL) })
	program := cdx.Component{Type: cdx.ComponentTypeApplication, BOMRef: "sextant",
		Name: "sextant", Version: o.Version, Licenses: licensed("Apache-2.0")}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: o.Time.Format("2006-01-02T15:04:05Z"), Component: &program}
	bom.Components = &all
	return o.write("sextant-"+o.Version+".cdx.json", func(w io.Writer) error {
		return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	})
}

func component(kind, name, version string) cdx.Component {
	purl := "pkg:" + kind + "/" + strings.ReplaceAll(name, "@", "%40") + "@" + version
	return cdx.Component{Type: cdx.ComponentTypeLibrary, BOMRef: purl, Name: name, Version: version, PackageURL: purl}
}

func licensed(expression string) *cdx.Licenses {
	return &cdx.Licenses{{Expression: expression}}
}

// linked are the modules that any of the programs holds.
func linked(programs []string) (all []*debug.Module, goVersion string, err error) {
	for _, p := range programs {
		info, err := buildinfo.ReadFile(p)
		if err != nil {
			return nil, "", err
		}
		goVersion = info.GoVersion
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			if !slices.ContainsFunc(all, func(k *debug.Module) bool { return k.Path == m.Path }) {
				all = append(all, m)
			}
		}
	}
	return all, goVersion, nil
}

// moduleFolders are where the sources of the modules lie.
func (o *Options) moduleFolders(ctx context.Context) (map[string]string, error) {
	c := exec.CommandContext(ctx, "go", "list", "-mod=readonly", "-m", "-json", "all")
	c.Dir, c.Env = o.Root, append(c.Environ(), "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local")
	var trouble bytes.Buffer
	c.Stderr = &trouble
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, bytes.TrimSpace(trouble.Bytes()))
	}
	folders := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return folders, nil
		} else if err != nil {
			return nil, err
		}
		folders[m.Path] = m.Dir
	}
}

// knownWell is how much of a file has to be the text of licences that are known.
const knownWell = 70

var licenseFile = regexp.MustCompile(`(?i)^(un)?licen[sc]e|^copying`)

// licenses finds out by its files which licences a module has. It returns an error
// if none is found: somebody has to look then.
func licenses(dir string) (*cdx.Licenses, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range all {
		if e.IsDir() || !licenseFile.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if found := licensecheck.Scan(text); found.Percent >= knownWell {
			for _, m := range found.Match {
				ids = append(ids, m.ID)
			}
		}
	}
	if slices.Sort(ids); len(ids) == 0 {
		return nil, fmt.Errorf("no licence that is known is in %s", dir)
	}
	return licensed(strings.Join(slices.Compact(ids), " AND ")), nil
}

// packages are what the console is built from; what only builds or tests it never
// reaches a browser and is left out.
func packages(lockFile string) ([]cdx.Component, error) {
	data, err := os.ReadFile(lockFile)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct {
			Version, License, Integrity string
			Dev, DevOptional, Optional  bool
		}
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, fmt.Errorf("%s: %w", lockFile, err)
	}
	var all []cdx.Component
	for place, p := range lock.Packages {
		at := strings.LastIndex(place, "node_modules/")
		if at < 0 || p.Dev || p.DevOptional || p.Optional {
			continue
		}
		c := component("npm", place[at+len("node_modules/"):], p.Version)
		if p.License == "" {
			return nil, fmt.Errorf("%s: %s says no licence", lockFile, place)
		}
		c.Licenses = licensed(p.License)
		if sum, ok := strings.CutPrefix(p.Integrity, "sha512-"); ok {
			raw, err := base64.StdEncoding.DecodeString(sum)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", lockFile, place, err)
			}
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA512, Value: hex.EncodeToString(raw)}}
		}
		if !slices.ContainsFunc(all, func(k cdx.Component) bool { return k.PackageURL == c.PackageURL }) {
			all = append(all, c)
		}
	}
	return all, nil
}
