package bundle

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// imageUser is whom the container runs as: nobody whom the host knows.
const imageUser = 65532

// image writes a container image: the program, the roots of trust of TLS, a user.
// The file is an OCI layout, and has the manifest that `docker load` reads too.
func (o *Options) image(t Target, program string) error {
	layers, err := o.layers(program)
	if err != nil {
		return err
	}
	img, err := mutate.AppendLayers(mutate.MediaType(mutate.ConfigMediaType(empty.Image, types.OCIConfigJSON), types.OCIManifestSchema1),
		layers...)
	if err != nil {
		return err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	config = config.DeepCopy()
	config.Created, config.OS, config.Architecture, config.Author = v1.Time{Time: o.Time}, t.OS, t.Arch, ""
	for i := range config.History {
		config.History[i] = v1.History{Created: v1.Time{Time: o.Time}, CreatedBy: "make release"}
	}
	config.Config = v1.Config{
		User: fmt.Sprintf("%d:%d", imageUser, imageUser), Entrypoint: []string{"/sextant"}, Cmd: []string{"server"}, WorkingDir: "/data",
		ExposedPorts: map[string]struct{}{"8066/tcp": {}}, Volumes: map[string]struct{}{"/data": {}},
		// Within a container loopback is nobody; who publishes the port decides who
		// reaches it, and it answers under localhost alone until it is told its name.
		Env: []string{"PATH=/", "SEXTANT_DATA=/data", "SEXTANT_LISTEN=0.0.0.0:8066", "SEXTANT_TLS_INSECURE=true", "SEXTANT_HOSTS=localhost"},
		Labels: map[string]string{"org.opencontainers.image.title": "sextant",
			"org.opencontainers.image.version": o.Version, "org.opencontainers.image.licenses": "Apache-2.0"},
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return err
	}
	return o.write("sextant-"+o.Version+"-image-"+t.OS+"-"+t.Arch+".tar", func(w io.Writer) error {
		return writeImage(w, img, o.Version, o.Time)
	})
}

// layers are what changes seldom, then the program.
func (o *Options) layers(program string) ([]v1.Layer, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	passwd := fmt.Sprintf("root:x:0:0:root:/:/none\nsextant:x:%d:%d:sextant:/data:/none\n", imageUser, imageUser)
	group := fmt.Sprintf("root:x:0:\nsextant:x:%d:\n", imageUser)
	ground := []entry{
		{"data", 0o700, imageUser, nil}, {"tmp", 0o1777, 0, nil}, {"etc", 0o755, 0, nil},
		{"etc/passwd", 0o644, 0, []byte(passwd)}, {"etc/group", 0o644, 0, []byte(group)},
		{"etc/ssl", 0o755, 0, nil}, {"etc/ssl/certs", 0o755, 0, nil}, {"etc/ssl/certs/ca-certificates.crt", 0o644, 0, roots()},
	}
	var layers []v1.Layer
	for _, all := range [][]entry{ground, {{"sextant", 0o755, 0, data}}} {
		var b bytes.Buffer
		if err := tarred(&b, all, o.Time); err != nil {
			return nil, err
		}
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(b.Bytes())), nil
		}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	return layers, nil
}

// roots are the certificate authorities that Mozilla trusts without a condition: a
// file of certificates cannot say one.
func roots() []byte {
	var b bytes.Buffer
	for r := range bundle.Roots() {
		if r.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate}) // a buffer takes everything
		}
	}
	return b.Bytes()
}

// writeImage writes an image in both forms at once; they share their blobs.
func writeImage(w io.Writer, img v1.Image, version string, at time.Time) error {
	dir, err := os.MkdirTemp("", "sextant-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	tag := "sextant:" + version
	if err := l.AppendImage(img, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": version, "io.containerd.image.name": "docker.io/library/" + tag})); err != nil {
		return err
	}
	m, err := img.Manifest()
	if err != nil {
		return err
	}
	blob := func(h v1.Hash) string { return path.Join("blobs", h.Algorithm, h.Hex) }
	load := tarball.Descriptor{Config: blob(m.Config.Digest), RepoTags: []string{tag}}
	for _, layer := range m.Layers {
		load.Layers = append(load.Layers, blob(layer.Digest))
	}
	data, err := json.Marshal(tarball.Manifest{load})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), data, 0o644); err != nil {
		return err
	}
	all, err := read(dir)
	if err != nil {
		return err
	}
	return tarred(w, all, at)
}

// read gives what lies below a folder, in the order of names.
func read(dir string) (all []entry, err error) {
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			all = append(all, entry{filepath.ToSlash(name), 0o755, 0, nil})
			return nil
		}
		data, err := os.ReadFile(p)
		all = append(all, entry{filepath.ToSlash(name), 0o644, 0, data})
		return err
	})
	return all, err
}
