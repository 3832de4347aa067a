package bundle

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

// entry is a file within an archive.
type entry struct {
	name string
	mode int64 // with the bits of its kind where it is a folder
	uid  int
	data []byte // nil for a folder
}

// archive writes the program with what belongs to it: a tar for Unix, a zip for
// Windows.
func (o *Options) archive(t Target, program string) error {
	data, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(o.Root, "LICENSE"))
	if err != nil {
		return err
	}
	base := "sextant-" + o.Version + "-" + t.OS + "-" + t.Arch
	all := []entry{{base + "/" + t.program(), 0o755, 0, data}, {base + "/LICENSE", 0o644, 0, license}}
	if t.OS == "windows" {
		return o.write(base+".zip", func(w io.Writer) error { return zipped(w, all, o.Time) })
	}
	if t.OS == "linux" {
		for _, name := range []string{"sextant.service", "sextant.yaml"} {
			data, err := files.ReadFile("files/" + name)
			if err != nil {
				return err
			}
			all = append(all, entry{base + "/" + name, 0o644, 0, data})
		}
	}
	return o.write(base+".tar.gz", func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
		if err != nil {
			return err
		}
		return errors.Join(tarred(z, all, o.Time), z.Close())
	})
}

// write makes a file of the release.
func (o *Options) write(name string, fill func(io.Writer) error) error {
	o.Say("%s", name)
	f, err := os.OpenFile(filepath.Join(o.Out, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

func tarred(w io.Writer, all []entry, at time.Time) error {
	tw := tar.NewWriter(w)
	for _, e := range all {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: int64(len(e.data)),
			ModTime: at, Uid: e.uid, Gid: e.uid, Format: tar.FormatUSTAR}
		if e.data == nil {
			h.Typeflag, h.Name = tar.TypeDir, e.name+"/"
		}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := tw.Write(e.data); err != nil {
			return err
		}
	}
	return tw.Close()
}

func zipped(w io.Writer, all []entry, at time.Time) error {
	zw := zip.NewWriter(w)
	for _, e := range all {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at}
		h.SetMode(os.FileMode(e.mode))
		f, err := zw.CreateHeader(h)
		if err != nil {
			return err
		}
		if _, err := f.Write(e.data); err != nil {
			return err
		}
	}
	return zw.Close()
}
