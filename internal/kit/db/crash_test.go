package db_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/internal/testkit/dbserver"
)

// victim names the database of the process that a test kills.
const victim = "SEXTANT_TEST_VICTIM"

func TestMain(m *testing.M) {
	if file := os.Getenv(victim); file != "" {
		os.Exit(die(file))
	}
	os.Exit(m.Run())
}

// die writes and says what was acknowledged until it is killed.
func die(file string) int {
	ctx := context.Background()
	d, err := db.Open(ctx, "sqlite:"+file)
	if err == nil {
		err = d.Migrate(ctx, "test", tables)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var next atomic.Int64
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				id := int(next.Add(1))
				err := d.Do(ctx, func(tx *db.Tx) error {
					if err := insert(2 * id)(tx); err != nil {
						return err
					}
					return insert(2*id + 1)(tx)
				})
				if err != nil {
					failed <- err
					return
				}
				// One write each, so that a line is whole or not there.
				_, _ = os.Stdout.WriteString(strconv.Itoa(id) + "\n")
			}
		}()
	}
	fmt.Println(<-failed)
	return 1
}

func TestAKilledProcessLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for round := range 3 {
		file, known := filepath.Join(t.TempDir(), "x.db"), map[int]bool{}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), victim+"="+file)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			id, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("the process says %q", lines.Text())
			}
			known[id] = true
			if len(known) == 150+70*round {
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("it was not killed: %v", err)
		}
		d, err := db.Open(t.Context(), "sqlite:"+file)
		if err != nil {
			t.Fatal(err)
		}
		got := ids(t, d)
		for id := range known {
			if _, ok := slices.BinarySearch(got, 2*id); !ok {
				t.Errorf("round %d: the acknowledged write %d is lost", round, id)
			}
		}
		for _, id := range got {
			if _, ok := slices.BinarySearch(got, id^1); !ok {
				t.Errorf("round %d: of one write only row %d is there", round, id)
			}
		}
		closed(t, d)
	}
}

// small mounts a small file system; only root may, and not everywhere.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=768k"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskAndSpaceAgain(t *testing.T) {
	dbserver.OnSQLite(t, "a disk of our own")
	t.Parallel()
	dir := small(t)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 256<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	d := openAt(t, filepath.Join(dir, "x.db"))
	put := func(id int) error {
		return d.Do(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO t (id, name) VALUES (?, ?)", id, strings.Repeat("x", 8<<10))
			return err
		})
	}
	var kept []int
	for id := 0; ; id++ {
		err := put(id)
		if err == nil {
			kept = append(kept, id)
			continue
		}
		if !errs.Is(err, errs.Full) {
			t.Fatalf("a full disk answers %v", err)
		}
		break
	}
	if got := ids(t, d); len(kept) == 0 || !slices.Equal(got, kept) {
		t.Errorf("rows %v, acknowledged %v", got, kept)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := put(5000); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// On a full disk only what is urgent is written, in space that was kept for it;
// reading goes on, and room that comes back is found.
func TestTheReserveIsForWhatIsUrgent(t *testing.T) {
	dbserver.OnSQLite(t, "a disk of our own")
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	d := openAt(t, filepath.Join(dir, "x.db"))
	d.Reserve(filepath.Join(dir, "reserve"), 1<<20)
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4<<10))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	put := func(ctx context.Context, id int) error {
		return d.Do(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO t (id, name) VALUES (?, ?)", id, strings.Repeat("x", 8<<10))
			return err
		})
	}
	n := 0
	for ; err == nil || n < 3; n++ { // the log may have some room of its own
		if err = put(t.Context(), n); n > 1000 {
			t.Fatal("the disk is never full")
		}
	}
	before := ids(t, d)
	if !errs.Is(err, errs.Full) || !errs.Is(d.Trouble(), errs.Full) {
		t.Errorf("on a full disk: %v, trouble %v", err, d.Trouble())
	}
	if err := put(db.Urgent(t.Context()), 9000); err != nil {
		t.Errorf("what is urgent: %v", err)
	}
	if err := put(t.Context(), 9001); !errs.Is(err, errs.Full) {
		t.Errorf("what is not urgent: %v", err)
	}
	if got := ids(t, d); len(got) != len(before)+1 {
		t.Errorf("%d rows, then %d", len(before), len(got))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), 9002); err != nil || d.Trouble() != nil {
		t.Errorf("with room again: %v, trouble %v", err, d.Trouble())
	}
	if info, err := os.Stat(filepath.Join(dir, "reserve")); err != nil || info.Size() != 1<<20 {
		t.Errorf("the reserve afterwards: %v", err)
	}
}

func TestAFileSystemThatCannotBeWritten(t *testing.T) {
	dbserver.OnSQLite(t, "a disk of our own")
	t.Parallel()
	dir := small(t)
	file := filepath.Join(dir, "x.db")
	d, err := db.Open(t.Context(), "sqlite:"+file)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(t.Context(), "test", tables); err != nil {
		t.Fatal(err)
	}
	closed(t, d)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	d, err = db.Open(t.Context(), "sqlite:"+file)
	if err == nil {
		defer closed(t, d)
		err = d.Do(t.Context(), insert(1))
	}
	if !errs.Is(err, errs.Unavailable) || !errs.HasCode(err, "database.read_only") {
		t.Errorf("got %v", err)
	}
	if d != nil && !errs.HasCode(d.Trouble(), "database.read_only") {
		t.Errorf("the trouble is %v", d.Trouble())
	}
}
