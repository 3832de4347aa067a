package dmn

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sextant/internal/lang/dmn/model"
)

// MaxFiles bounds how many files of a folder are looked at for imports.
const MaxFiles = 200

// Load reads a file and, where it imports others, the files of its folder that
// have the namespaces it imports, directly or through one another. The file
// itself comes first.
func Load(fsys fs.FS, file string) ([]*File, error) {
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return nil, err
	}
	first, err := Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(first.Imports) == 0 {
		return []*File{first}, nil
	}
	others, err := neighbours(fsys, file)
	if err != nil {
		return nil, err
	}
	set, have := []*File{first}, map[string]bool{first.Namespace: true}
	for i := 0; i < len(set); i++ {
		for _, imp := range set[i].Imports {
			if other := others[imp.Namespace]; other != nil && !have[imp.Namespace] {
				have[imp.Namespace] = true
				set = append(set, other)
			}
		}
	}
	return set, nil
}

// neighbours reads the other models of a folder, by namespace. A file that is no
// model is none of them.
func neighbours(fsys fs.FS, file string) (map[string]*File, error) {
	folder := path.Dir(file)
	entries, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return nil, err
	}
	all, looked := map[string]*File{}, 0
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if e.IsDir() || name == path.Clean(file) || !strings.HasSuffix(strings.ToLower(e.Name()), ".dmn") {
			continue
		}
		if looked++; looked > MaxFiles {
			return nil, fmt.Errorf("%s: more than %d models lie beside it: keep those that it imports in a folder of their own", file, MaxFiles)
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		other, err := model.Read(data)
		if err != nil {
			continue
		}
		if all[other.Namespace] == nil {
			all[other.Namespace] = other
		}
	}
	return all, nil
}
