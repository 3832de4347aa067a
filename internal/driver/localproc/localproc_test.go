package localproc_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sextant/internal/driver/localproc"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/errs"
)

// The test's own program is what the driver runs: the variable says as what.
const roleVariable = "LOCALPROC_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		play(role)
		return
	}
	code := m.Run()
	if left := leaked(); left != "" {
		fmt.Fprintln(os.Stderr, "goroutines are left over:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// leaked gives the goroutines of the driver that are there although all processes
// have ended. One that is ending gets a moment for it.
func leaked() string {
	stacks := make([]byte, 1<<20)
	for range 200 {
		text := string(stacks[:runtime.Stack(stacks, true)])
		if !strings.Contains(text, "localproc.(*Driver)") {
			return ""
		}
		<-time.After(10 * time.Millisecond)
	}
	return string(stacks[:runtime.Stack(stacks, true)])
}

func play(role string) {
	switch role {
	case "serve":
		serve()
	case "polite":
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM)
		go serve()
		<-end
		fmt.Println("good bye")
		syscall.Exit(0) // at once, without a word about coverage in the log
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		// A child in the same group, which has to go too.
		more := exec.Command(os.Args[0])
		more.Env = []string{roleVariable + "=idle"}
		if err := more.Start(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("child", more.Process.Pid)
		serve()
	case "idle":
		signal.Ignore(syscall.SIGTERM)
		select {}
	case "crash":
		for i := range 30 {
			fmt.Fprintln(os.Stderr, "line", i)
		}
		syscall.Exit(3)
	case "sick":
		listen(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	case "platform":
		platform()
	}
}

func listen(h http.HandlerFunc) {
	fmt.Println(http.ListenAndServe(os.Getenv("SEXTANT_LISTEN"), h))
	os.Exit(1)
}

// serve answers and tells about itself.
func serve() {
	fmt.Println("ready")
	listen(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/end":
			os.Exit(0)
		case "/self":
			stat, err := os.ReadFile("/proc/self/stat")
			stdin, err2 := os.Readlink("/proc/self/fd/0")
			dir, err3 := os.Getwd()
			_ = json.NewEncoder(w).Encode(self{string(stat), stdin, dir, os.Environ(), os.Args[1:], errors.Join(err, err2, err3) != nil})
		}
	})
}

type self struct {
	Stat, Stdin, Dir string
	Env, Args        []string
	Failed           bool
}

// platform starts a process and then waits to be killed.
func platform() {
	d, err := localproc.New(localproc.Options{RunDir: os.Getenv("RUN"), LogDir: os.Getenv("LOG"), Clock: clock.Real{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := d.Ensure(context.Background(), process("app", "serve"))
	fmt.Println(s.Pid, s.Address, err)
	select {}
}

func process(name, role string) localproc.Process {
	path, err := filepath.EvalSymlinks("/proc/self/exe")
	if err != nil {
		panic(err)
	}
	return localproc.Process{Name: name, Path: path, Env: []string{roleVariable + "=" + role}, Listen: true}
}

// rig is a driver with folders of its own.
type rig struct {
	*testing.T
	*localproc.Driver
	run, log string
	ended    chan string // names of processes whose end was seen
	grace    time.Duration
}

// hearer tells of processes that ended.
type hearer struct {
	slog.Handler
	ended chan string
}

func (h hearer) Enabled(context.Context, slog.Level) bool { return true }

func (h hearer) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "a process has ended" {
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "process" {
				h.ended <- a.Value.String()
			}
			return true
		})
	}
	return nil
}

func start(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{T: t, run: filepath.Join(dir, "run"), log: filepath.Join(dir, "log"), ended: make(chan string, 100), grace: 5 * time.Second}
	r.renew()
	t.Cleanup(func() {
		all, err := r.List()
		if err != nil {
			t.Error(err)
		}
		for _, s := range all {
			if err := r.Stop(context.Background(), s.Name, 0); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// renew makes another driver over the same folders, as a platform that is started
// again does.
func (r *rig) renew() {
	r.Helper()
	d, err := localproc.New(localproc.Options{
		RunDir: r.run, LogDir: r.log, Clock: clock.Real{}, Log: slog.New(hearer{slog.DiscardHandler, r.ended}),
		StartTimeout: 20 * time.Second, StopGrace: r.grace,
	})
	if err != nil {
		r.Fatal(err)
	}
	r.Driver = d
}

func (r *rig) ensure(p localproc.Process) localproc.State {
	r.Helper()
	s, err := r.Ensure(r.Context(), p)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// runs reports whether a pid belongs to a process that is more than a remainder.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	return !bytes.Contains(stat, []byte(") Z "))
}

func get(t *testing.T, address, path string) []byte {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + address + path)
	if err != nil {
		if path != "/end" {
			t.Error(err)
		}
		return nil
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return data
}

func TestAProcessStandsOnItsOwn(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := process("app", "serve")
	p.Args, p.Dir = []string{"a b", ""}, t.TempDir()
	p.Env = append(p.Env, "A=1", "SEXTANT_LISTEN=127.0.0.1:1")
	s := r.ensure(p)
	var got self
	if err := json.Unmarshal(get(t, s.Address, "/self"), &got); err != nil || got.Failed {
		t.Fatal(err, got)
	}
	fields := strings.Fields(got.Stat[strings.LastIndexByte(got.Stat, ')')+1:])
	pid := strconv.Itoa(s.Pid)
	if !strings.HasPrefix(got.Stat, pid+" ") || fields[2] != pid || fields[3] != pid {
		t.Errorf("pid %s leads neither its group %s nor its session %s", pid, fields[2], fields[3])
	}
	if fields[19] != strconv.FormatUint(s.Started, 10) {
		t.Errorf("it started at %s, not %d", fields[19], s.Started)
	}
	if want := []string{roleVariable + "=serve", "A=1", "SEXTANT_LISTEN=" + s.Address}; !slices.Equal(got.Env, want) {
		t.Errorf("the environment is %q", got.Env)
	}
	if !slices.Equal(got.Args, p.Args) || got.Stdin != "/dev/null" || got.Dir != p.Dir {
		t.Errorf("%+v", got)
	}
	info, err := os.Stat(filepath.Join(r.run, "app.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	data, err := os.ReadFile(filepath.Join(r.run, "app.json"))
	var rec map[string]any
	if err := errors.Join(err, json.Unmarshal(data, &rec)); err != nil ||
		rec["path"] != p.Path || rec["address"] != s.Address || rec["boot"] != s.Boot || strings.Contains(string(data), "A=1") {
		t.Error(string(data), err)
	}
	if data, err := os.ReadFile(filepath.Join(r.log, "app.log")); err != nil || !strings.Contains(string(data), "ready") {
		t.Errorf("%q %v", data, err)
	}
	found, ok, err := r.Find("app")
	if err != nil || !ok || found.Pid != s.Pid || found.Started != s.Started || found.Address != s.Address || !found.Since.Equal(s.Since) {
		t.Error(found, ok, err)
	}
}

func TestAProcessIsFoundAfterThePlatformWasKilled(t *testing.T) {
	t.Parallel()
	r := start(t)
	cmd := exec.Command(process("", "").Path)
	cmd.Env = []string{roleVariable + "=platform", "RUN=" + r.run, "LOG=" + r.log}
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasSuffix(line, "<nil>\n") {
		t.Fatal(line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	s := r.ensure(process("app", "serve"))
	if got := fmt.Sprintln(s.Pid, s.Address, nil); got != line {
		t.Errorf("it was %s and is %s", line, got)
	}
	if err := r.Stop(t.Context(), "app", 5*time.Second); err != nil || runs(s.Pid) {
		t.Error(err)
	}
}

func TestWhatWasStartedIsFoundByItsIntent(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := process("app", "serve")
	p.Args = []string{"one"}
	s := r.ensure(p)
	r.edit("app", func(rec map[string]any) { rec["pid"], rec["started"] = 0, s.Started-1 })
	r.renew()
	if found, ok, err := r.Find("app"); err != nil || !ok || found.Pid != s.Pid {
		t.Error(found, ok, err)
	}
	if again := r.ensure(p); again.Pid != s.Pid || again.Address != s.Address {
		t.Errorf("it was started twice: %v and %v", s, again)
	}
	if rec := r.edit("app", func(map[string]any) {}); rec["pid"] != float64(s.Pid) {
		t.Error(rec)
	}
	// Another address, other arguments or a later beginning are another process.
	for name, change := range map[string]func(map[string]any){
		"address":   func(rec map[string]any) { rec["address"] = "127.0.0.1:1" },
		"arguments": func(rec map[string]any) { rec["args"] = []string{"two"} },
		"beginning": func(rec map[string]any) { rec["started"] = s.Started + 1 },
	} {
		r.edit("app", func(rec map[string]any) { rec["pid"], rec["started"] = 0, s.Started; change(rec) })
		if found, ok, err := r.Find("app"); err != nil || ok {
			t.Errorf("another %s: %v %v", name, found, err)
		}
		r.edit("app", func(rec map[string]any) {
			rec["pid"], rec["started"], rec["address"], rec["args"] = s.Pid, s.Started, s.Address, []string{"one"}
		})
	}
}

// edit changes a record as no driver would.
func (r *rig) edit(name string, change func(map[string]any)) map[string]any {
	r.Helper()
	path := filepath.Join(r.run, name+".json")
	data, err := os.ReadFile(path)
	rec := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := errors.Join(err, d.Decode(&rec)); err != nil {
		r.Fatal(err)
	}
	change(rec)
	data, err = json.Marshal(rec)
	if err := errors.Join(err, os.WriteFile(path, data, 0o600)); err != nil {
		r.Fatal(err)
	}
	return rec
}

func TestAnotherProcessWithTheSamePidIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"started", "boot"} {
		r := start(t)
		p := process("app", "serve")
		s := r.ensure(p)
		r.edit("app", func(rec map[string]any) {
			rec[field] = map[string]any{"started": s.Started + 1, "boot": "another"}[field]
		})
		if found, ok, err := r.Find("app"); ok || err != nil {
			t.Errorf("%s: found %v, %v", field, found, err)
		}
		if err := r.Stop(t.Context(), "app", 0); err != nil || !runs(s.Pid) {
			t.Errorf("%s: the other process was stopped, %v", field, err)
		}
		again := r.ensure(p)
		if again.Pid == s.Pid || !runs(s.Pid) {
			t.Errorf("%s: %v and %v", field, s, again)
		}
		if err := syscall.Kill(s.Pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		<-r.ended
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	r := start(t)
	polite := r.ensure(process("polite", "polite"))
	if err := r.Stop(t.Context(), "polite", time.Minute); err != nil || runs(polite.Pid) {
		t.Error(err)
	}
	if data, err := os.ReadFile(filepath.Join(r.log, "polite.log")); err != nil || !strings.Contains(string(data), "good bye") {
		t.Errorf("%q %v", data, err)
	}
	stubborn := r.ensure(process("stubborn", "stubborn"))
	data, err := os.ReadFile(filepath.Join(r.log, "stubborn.log"))
	var child int
	if _, err2 := fmt.Sscanf(string(data), "child %d", &child); err != nil || err2 != nil || !runs(child) {
		t.Fatal(string(data), err, err2)
	}
	begin := time.Now()
	if err := r.Stop(t.Context(), "stubborn", 200*time.Millisecond); err != nil || runs(stubborn.Pid) || runs(child) {
		t.Error(err, runs(stubborn.Pid), runs(child))
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("it had %v to end", took)
	}
	for _, name := range []string{"polite", "stubborn", "never"} {
		if err := r.Stop(t.Context(), name, 0); err != nil {
			t.Error(err)
		}
		if _, ok, err := r.Find(name); ok || err != nil {
			t.Error(name, err)
		}
	}
	if entries, err := os.ReadDir(r.run); err != nil || len(entries) != 0 {
		t.Error(entries, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.ensure(process("stubborn", "stubborn"))
	if err := r.Stop(ctx, "stubborn", time.Minute); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestNoRemaindersAreLeft(t *testing.T) {
	t.Parallel()
	r := start(t)
	s := r.ensure(process("app", "serve"))
	get(t, s.Address, "/end")
	if name := <-r.ended; name != "app" {
		t.Error(name)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", s.Pid)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if _, ok, err := r.Find("app"); ok || err != nil {
		t.Error(ok, err)
	}
	if again := r.ensure(process("app", "serve")); again.Pid == s.Pid {
		t.Error(again)
	}
}

func TestWhoComesSecondWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	r := start(t)
	pids := make([]int, 8)
	var wg sync.WaitGroup
	for i := range pids {
		wg.Go(func() {
			s, err := r.Ensure(t.Context(), process("app", "serve"))
			if err != nil {
				t.Error(err)
			}
			pids[i] = s.Pid
		})
	}
	wg.Wait()
	for _, pid := range pids {
		if pid != pids[0] {
			t.Errorf("several were started: %v", pids)
		}
	}
	r.ensure(process("more", "serve"))
	var names []string
	all, err := r.List()
	for _, s := range all {
		names = append(names, s.Name)
	}
	if err != nil || !slices.Equal(names, []string{"app", "more"}) {
		t.Error(names, err)
	}
}

func TestAnotherVersionReplacesAProcess(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := process("app", "serve")
	own := filepath.Join(t.TempDir(), "program")
	install(t, p.Path, own)
	p.Path = own
	last := r.ensure(p)
	same := p
	same.Env = append(slices.Clone(p.Env), "B=2")
	if s := r.ensure(same); s.Pid != last.Pid {
		t.Error("another environment alone replaced it")
	}
	for name, change := range map[string]func(){
		"arguments": func() { p.Args = []string{"x"} },
		"folder":    func() { p.Dir = t.TempDir() },
		"file":      func() { install(t, process("", "").Path, own) },
	} {
		change()
		s := r.ensure(p)
		if s.Pid == last.Pid || runs(last.Pid) || !runs(s.Pid) {
			t.Errorf("%s: %v and %v", name, last, s)
		}
		if again := r.ensure(p); again.Pid != s.Pid {
			t.Errorf("%s: it was replaced twice", name)
		}
		last = s
	}
}

// install puts a program in the place of another, as an upgrade does.
func install(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err := errors.Join(err, os.WriteFile(to+".new", data, 0o755), os.Rename(to+".new", to)); err != nil {
		t.Fatal(err)
	}
}

func TestWhyAProcessDoesNotStart(t *testing.T) {
	t.Parallel()
	r := start(t)
	for range 2 {
		_, err := r.Ensure(t.Context(), process("crash", "crash"))
		if !errs.Is(err, errs.Unavailable) || !errs.HasCode(err, "localproc.start") {
			t.Fatal(err)
		}
		text := err.Error()
		for _, want := range []string{"exit status 3", "line 10\n", "line 29"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
		if strings.Contains(text, "line 9\n") || strings.Count(text, "line 29") != 1 {
			t.Errorf("it tells too much: %s", text)
		}
	}
	quick, err := localproc.New(localproc.Options{RunDir: r.run, LogDir: r.log, Clock: clock.Real{}, StartTimeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := quick.Ensure(t.Context(), process("sick", "sick")); err == nil ||
		!strings.Contains(err.Error(), "500 Internal Server Error") || runs(s.Pid) && s.Pid != 0 {
		t.Error(s, err)
	}
	if _, ok, err := quick.Find("sick"); ok || err != nil {
		t.Error("a process that does not answer goes on", err)
	}
	bad := []struct {
		name string
		p    localproc.Process
		code string
	}{
		{"no such program", localproc.Process{Name: "a", Path: "/no/such"}, "localproc.program"},
		{"folder", localproc.Process{Name: "a", Path: "/tmp"}, "localproc.program"},
		{"relative", localproc.Process{Name: "a", Path: "localproc_test.go"}, "localproc.program"},
		{"no program", localproc.Process{Name: "a", Path: filepath.Join(t.TempDir(), "text")}, "localproc.start"},
		{"name", localproc.Process{Name: "../a", Path: "/bin/true"}, "localproc.name"},
	}
	if err := os.WriteFile(bad[3].p.Path, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range bad {
		if _, err := r.Ensure(t.Context(), tt.p); !errs.HasCode(err, tt.code) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if entries, err := os.ReadDir(r.run); err != nil || len(entries) != 0 {
		t.Error(entries, err)
	}
}

func TestAnEnsureThatGivesUpLeavesTheProcess(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := process("sick", "sick")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("enough"))
	defer cancel()
	if _, err := r.Ensure(ctx, p); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Error(err)
	}
	if s, ok, err := r.Find("sick"); !ok || err != nil {
		t.Error(s, err)
	}
}

func TestAProcessThatDoesNotAnswerIsReplaced(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := process("app", "sick")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := r.Ensure(ctx, p); err == nil {
		t.Fatal("it answered")
	}
	sick, _, err := r.Find("app")
	if err != nil {
		t.Fatal(err)
	}
	quick, err := localproc.New(localproc.Options{RunDir: r.run, LogDir: r.log, Clock: clock.Real{}, StartTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	p.Env = []string{roleVariable + "=serve"}
	s, err := quick.Ensure(t.Context(), p)
	if err != nil || s.Pid == sick.Pid || runs(sick.Pid) {
		t.Error(s, err)
	}
}

func TestAProcessThatDoesNotListen(t *testing.T) {
	t.Parallel()
	r := start(t)
	p := process("app", "idle")
	p.Listen = false
	s := r.ensure(p)
	if s.Address != "" || r.ensure(p).Pid != s.Pid {
		t.Error(s)
	}
	r.edit("app", func(rec map[string]any) { rec["pid"], rec["started"] = 0, s.Started })
	if found, ok, err := r.Find("app"); !ok || err != nil || found.Pid != s.Pid {
		t.Error(found, err)
	}
}

func TestLogsArePutAside(t *testing.T) {
	t.Parallel()
	r := start(t)
	path := filepath.Join(r.log, "app.log")
	fill := func(what string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(what + strings.Repeat(".", 16<<20))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	aside := func() string {
		t.Helper()
		data, err := os.ReadFile(path + ".1")
		if err != nil {
			t.Fatal(err)
		}
		return string(data[:min(len(data), 6)])
	}
	if err := os.WriteFile(path, []byte("small\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := r.ensure(process("app", "polite"))
	if data, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(data), "small\nready") {
		t.Errorf("%q %v", data, err)
	}
	fill("")
	if again := r.ensure(process("app", "polite")); again.Pid != s.Pid || aside() != "small\n" {
		t.Error(again, aside())
	}
	if err := r.Stop(t.Context(), "app", time.Minute); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || strings.TrimSpace(string(data)) != "good bye" {
		t.Errorf("the running process lost its log: %q %v", data, err)
	}
	fill("second")
	r.ensure(process("app", "serve"))
	if got := aside(); got != "good b" {
		t.Error(got)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 100 {
		t.Error(info.Size(), err)
	}
}

func TestADamagedRecordIsTold(t *testing.T) {
	t.Parallel()
	r := start(t)
	path := filepath.Join(r.run, "app.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Find("app"); err == nil || !strings.Contains(err.Error(), "app") {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := r.Find("../../etc/passwd"); ok || err != nil {
		t.Error(ok, err)
	}
	if _, err := localproc.New(localproc.Options{}); err == nil {
		t.Error("a driver without folders was made")
	}
}
