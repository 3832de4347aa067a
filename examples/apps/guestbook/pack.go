package guestbook

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"time"
)

//go:embed releases
var releases embed.FS

//go:embed start
var start []byte

// Releases holds a folder for each release.
func Releases() fs.FS {
	sub, err := fs.Sub(releases, "releases")
	if err != nil {
		return releases // the folder is part of the program
	}
	return sub
}

// Package packs a release as .tar.gz, with the script that starts it, and gives
// the SHA-256 in hex. The same release is always packed to the same bytes.
func Package(version string) (data []byte, sum string, err error) {
	dir, err := fs.Sub(Releases(), version)
	if err != nil {
		return nil, "", fmt.Errorf("guestbook: %w", err)
	}
	if _, err := fs.Stat(dir, "VERSION"); err != nil {
		return nil, "", fmt.Errorf("guestbook: there is no release %s: %w", version, err)
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	add := func(name string, mode int64, content []byte) error {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: time.Unix(0, 0),
			Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(h); err != nil {
			return err
		}
		_, err := archive.Write(content)
		return err
	}
	err = fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		return add(path, 0o644, content)
	})
	if err == nil {
		err = add("start", 0o755, start)
	}
	for _, finish := range []func() error{archive.Close, zip.Close} {
		if err == nil {
			err = finish()
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("guestbook: the release %s cannot be packed: %w", version, err)
	}
	digest := sha256.Sum256(out.Bytes())
	return out.Bytes(), hex.EncodeToString(digest[:]), nil
}
