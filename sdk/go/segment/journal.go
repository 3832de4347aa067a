package segment

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
)

// journal is the file with the newest records, a frame for each append.
type journal struct {
	path   string
	out    *os.File
	salt   salt
	size   int64
	raw    int // bytes of bodies
	frames []frame
	holes  []Record // damage; told until the journal is emptied
}

func openJournal(path string) (*journal, error) {
	j := &journal{path: path}
	out, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	j.out = out
	return j, j.learn()
}

// learn reads the frames; what was cut short is cut off.
func (j *journal) learn() error {
	info, err := j.out.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	if j.salt, err = readSalt(j.out); errors.Is(err, errDamaged) {
		if size > fileHead { // every frame of it is lost
			j.holes = []Record{{Lost: &Lost{size - fileHead, 0, Damaged}}}
			if err := os.Rename(j.path, j.path+".damaged"); err != nil {
				return err
			}
		}
		return errors.Join(j.out.Close(), j.create())
	} else if err != nil {
		return err
	}
	var after uint64
	end, err := j.salt.walk(j.out, size, func(f frame) error {
		if f.kind == frameRecords && f.count > 0 {
			if _, err := readAll(f.payload, f.seq, f.count); err != nil {
				j.holes = append(j.holes, Record{Seq: f.seq, Lost: &Lost{f.length, 0, Damaged}})
				return nil
			}
			f.payload = nil
			j.frames = append(j.frames, f)
			after = f.seq + uint64(f.count)
		}
		return nil
	}, func(from, to int64) {
		j.holes = append(j.holes, Record{Seq: after, Lost: &Lost{max(0, to-from-headSize), 0, Damaged}})
	})
	if err != nil {
		return err
	}
	j.size = end
	if end < size {
		return j.out.Truncate(end)
	}
	return nil
}

func (j *journal) create() error {
	out, s, err := create(j.path)
	if err != nil {
		return err
	}
	j.out, j.salt, j.size = out, s, fileHead
	return nil
}

// begin makes the file and its folder, where they are not there.
func (j *journal) begin(dir string) error {
	if j.out != nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return errors.Join(j.create(), syncDir(dir))
}

func (j *journal) add(records []Record) error {
	b := j.salt.frame(frameRecords, records[0].Seq, len(records), putAll(nil, records))
	f, _ := j.salt.head(b[:headSize], j.size)
	if _, err := j.out.WriteAt(b, j.size); err != nil {
		return errors.Join(err, j.out.Truncate(j.size))
	}
	j.size += int64(len(b))
	j.frames = append(j.frames, f)
	for i := range records {
		j.raw += len(records[i].Body)
	}
	return nil
}

// records reads those from a position on.
func (j *journal) records(from uint64) ([]Record, error) {
	var all []Record
	for i := range j.frames {
		f := j.frames[i]
		if f.seq+uint64(f.count) <= from {
			continue
		}
		err := j.salt.load(j.out, &f)
		var some []Record
		if err == nil {
			some, err = readAll(f.payload, f.seq, f.count)
		}
		if errors.Is(err, errDamaged) || errors.Is(err, errShort) { // it was whole when it was written
			some, err = []Record{{Seq: f.seq + uint64(f.count) - 1, Lost: &Lost{f.length, 0, Damaged}}}, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// all is every record with the damage between them, each at its place.
func (j *journal) all() ([]Record, error) {
	all, err := j.records(0)
	if err != nil {
		return nil, err
	}
	return between(all, j.holes), nil
}

// between puts gaps among records by their positions.
func between(all, holes []Record) []Record {
	for _, h := range holes {
		at := len(all)
		for i := range all {
			if all[i].Seq >= h.Seq {
				at = i
				break
			}
		}
		all = slices.Insert(all, at, h)
	}
	return all
}

// reset empties the journal.
func (j *journal) reset() error {
	if err := j.out.Truncate(fileHead); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	j.size, j.raw, j.frames, j.holes = fileHead, 0, nil, nil
	return nil
}

func (j *journal) close() error {
	if j.out == nil {
		return nil
	}
	return j.out.Close()
}

// tail is every record of the journal; none where there is no file yet.
func (j *journal) tail() ([]Record, error) {
	if j.out == nil {
		return nil, nil
	}
	return j.records(0)
}
