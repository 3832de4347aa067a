package bundle_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sextant/release/bundle"
)

// The same tree in another folder gives the same bytes: nothing of the machine, of
// the path or of the hour gets into a release.
func TestTwoBuildsAreTheSame(t *testing.T) {
	t.Parallel()
	first, _ := release(t)
	root, second := filepath.Join(t.TempDir(), "another", "deeper", "folder"), filepath.Join(t.TempDir(), "out")
	if err := tree(root); err != nil {
		t.Fatal(err)
	}
	if err := bundle.Make(t.Context(), options(root, second)); err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadDir(second)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 6 {
		t.Errorf("the release has only %d files", len(all))
	}
	for _, e := range all {
		a, err := os.ReadFile(filepath.Join(first, e.Name()))
		b, err2 := os.ReadFile(filepath.Join(second, e.Name()))
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %d and %d bytes, %v, %v", e.Name(), len(a), len(b), err, err2)
		}
	}
}

func TestTheProgramIsStaticAndTellsItsVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, "tar", "-xzf", file(t, "sextant-", ".tar.gz"), "--strip-components=1", "-C", dir)
	program := filepath.Join(dir, "sextant")
	if got := run(t, program, "--version"); !strings.Contains(got, version) {
		t.Errorf("it says %q", got)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("ld-linux")) {
		t.Error("the program is linked with a C library")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{root, built.root} {
		if bytes.Contains(data, []byte(path+"/")) {
			t.Errorf("the program holds the path %s", path)
		}
	}
}

// One byte that was changed is refused, wherever it is: in a file, in the sums, in
// the signature. So are a file more and a file less.
func TestVerify(t *testing.T) {
	t.Parallel()
	dir, public := release(t)
	if err := bundle.Verify(dir, public); err != nil {
		t.Fatal(err)
	}
	deb := filepath.Base(file(t, "sextant_", ".deb"))
	flip := func(name string, at int) func(string) error {
		return func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				data[(at+len(data))%len(data)] ^= 1
				err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
			}
			return err
		}
	}
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.Remove(filepath.Join(dir, name)) }
	}
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"first-byte-of-a-package": {flip(deb, 0), deb + " was changed"},
		"last-byte-of-a-package":  {flip(deb, -1), deb + " was changed"},
		"sums":                    {flip(bundle.SumsFile, 0), "is not signed by this key"},
		"signature":               {flip(bundle.SignatureFile, -10), "is not signed by this key"},
		"file-missing":            {remove(deb), deb + " is missing"},
		"signature-missing":       {remove(bundle.SignatureFile), "has no signature"},
		"file-more": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "sextant-extra"), []byte("x"), 0o644)
		}, "sextant-extra is no part of the release"},
		"other-key": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "..", "test.pub"),
				[]byte("untrusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n"), 0o600)
		}, "is not signed by this key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			to, key := filepath.Join(top, "out"), filepath.Join(top, "test.pub")
			if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			if err := copyFile(public, key); err != nil {
				t.Fatal(err)
			}
			if err := c.change(to); err != nil {
				t.Fatal(err)
			}
			if err := bundle.Verify(to, key); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// What people type to check a release says the same as Verify.
func TestMinisignAndSha256sumTakeTheRelease(t *testing.T) {
	t.Parallel()
	needs(t, false, "minisign", "sha256sum")
	dir, public := release(t)
	c := exec.CommandContext(t.Context(), "sh", "-c", `minisign -Vm SHA256SUMS -p "$0" && sha256sum --check --strict SHA256SUMS`, public)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "sextant "+version) {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	_, public := release(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*bundle.Options)
		want   string
	}{
		"no-version":   {func(o *bundle.Options) { o.Version = "" }, "version"},
		"bad-version":  {func(o *bundle.Options) { o.Version = "1.0 -X main.evil=1" }, "version"},
		"no-console":   {func(o *bundle.Options) { o.Root = t.TempDir() }, "make console"},
		"full-folder":  {func(o *bundle.Options) { o.Out = full }, "is not empty"},
		"no-key":       {func(o *bundle.Options) { o.Key = "/nowhere/key" }, "key"},
		"a-public-key": {func(o *bundle.Options) { o.Key = public }, "key"},
		"no-password":  {func(o *bundle.Options) { o.Key = filepath.Join(filepath.Dir(public), "test.key") }, "has a password"},
		"wrong-password": {func(o *bundle.Options) {
			o.Key, o.PasswordFile = filepath.Join(filepath.Dir(public), "test.key"), public
		}, "does not open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(built.root, filepath.Join(t.TempDir(), "out"))
			c.change(&o)
			if err := bundle.Make(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// The bill names what the program says of itself, the console's packages, and a
// licence of each; what only builds is not in it.
func TestBillOfMaterials(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(file(t, "sextant-", ".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Component struct{ Name, Version string }
		}
		Components []struct {
			Purl     string
			Licenses []struct{ Expression string }
		}
	}
	if err := json.Unmarshal(data, &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion == "" || bom.Metadata.Component.Name != "sextant" ||
		bom.Metadata.Component.Version != version {
		t.Errorf("it begins with %+v %s %s", bom.Metadata, bom.BOMFormat, bom.SpecVersion)
	}
	var purls []string
	for _, c := range bom.Components {
		purls = append(purls, c.Purl)
		if len(c.Licenses) != 1 || c.Licenses[0].Expression == "" {
			t.Errorf("%s has no licence", c.Purl)
		}
	}
	dir := t.TempDir()
	run(t, "tar", "-xzf", file(t, "sextant-", ".tar.gz"), "--strip-components=1", "-C", dir)
	linked := 0
	for line := range strings.SplitSeq(run(t, "go", "version", "-m", filepath.Join(dir, "sextant")), "\n") {
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "dep" {
			linked++
			if want := "pkg:golang/" + f[1] + "@" + f[2]; !slices.Contains(purls, want) {
				t.Errorf("the bill lacks %s", want)
			}
		}
	}
	if linked < 20 || !slices.ContainsFunc(purls, func(p string) bool { return strings.HasPrefix(p, "pkg:golang/modernc.org/sqlite@v") }) {
		t.Errorf("%d modules are linked", linked)
	}
	for name, in := range map[string]bool{"pkg:npm/vue@": true, "pkg:npm/%40codemirror/state@": true,
		"pkg:golang/std@1.": true, "pkg:npm/vite@": false, "pkg:npm/typescript@": false} {
		if got := slices.ContainsFunc(purls, func(p string) bool { return strings.HasPrefix(p, name) }); got != in {
			t.Errorf("%s is in the bill: %v", name, got)
		}
	}
}

func TestDebianVersions(t *testing.T) {
	t.Parallel()
	// In the order in which dpkg has to install one over the other.
	order := []string{"0131d63", "v0.1.0-rc.1", "v0.1.0-rc.1-2-gabc1234", "v0.1.0-rc.2", "v0.1.0", "v0.1.0-3-gabcdef1", "v0.2.0"}
	want := []string{"0~0131d63", "0.1.0~rc.1", "0.1.0~rc.1+2.gabc1234", "0.1.0~rc.2", "0.1.0", "0.1.0+3.gabcdef1", "0.2.0"}
	for i, v := range order {
		if got := bundle.DebianVersion(v); got != want[i] {
			t.Errorf("%s is %s, want %s", v, got, want[i])
		}
	}
	needs(t, false, "dpkg")
	for i := 1; i < len(want); i++ {
		run(t, "dpkg", "--compare-versions", want[i-1], "lt", want[i])
	}
}
