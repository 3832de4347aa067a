package chaos_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sextant/sdk/go/wire"
	"sextant/test/chaos/audit"
)

// witnessing names the folder of the process that is the witness.
const witnessing = "SEXTANT_CHAOS_WITNESS"

// journal is a file of lines of JSON, each on the disk before add returns.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

func openJournal(file string) (*journal, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &journal{file: f}, err
}

func (j *journal) add(line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Write(append(data, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

// manifest is that of the plugin witness: two services that may be asked again and one
// that may not.
func manifest() wire.Manifest {
	title := wire.Text{"en": "Witness", "zh": "证人"}
	text := func(name string) wire.Param { return wire.Param{Name: name, Type: "string", Title: title} }
	action := func(name, target string, idempotent bool) wire.Action {
		return wire.Action{Action: name, Title: title, Path: "/" + name, Method: "POST", Target: target,
			Risk: wire.RiskChange, Idempotent: idempotent,
			Timeout: "PT2M", Input: []wire.Param{text("step"), text("index"), text("value")}}
	}
	return wire.Manifest{Plugin: "witness", Version: "1.0.0", Title: title, Run: &wire.Run{Builtin: true},
		Services: []wire.Service{{Name: "effect", Title: title, Actions: []wire.Action{action("do", "", true),
			action("hold", "host:host", true), action("once", "", false)}}}}
}

// witness serves the plugin and writes down each call before it answers it.
func witness(dir string) int {
	j, err := openJournal(filepath.Join(dir, audit.Effects))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /manifest", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wire.Raw(manifest())) })
	mux.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) { effect(j, w, r) })
	fmt.Println("http://" + l.Addr().String())
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with who started it
		_ = srv.Close()
	}()
	_ = srv.Serve(l) // until then
	return 0
}

func effect(j *journal, w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	var req wire.Request
	body, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(body, &req) != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	resp := wire.Response{ResultCode: wire.CodeOK}
	var all []audit.Effect
	for _, in := range req.Inputs {
		text := func(name string) (s string) {
			if json.Unmarshal(in[name], &s) != nil {
				s = string(in[name])
			}
			return s
		}
		e := audit.Effect{Begun: begun, Key: r.Header.Get(wire.HeaderIdempotencyKey),
			Run: r.Header.Get(wire.HeaderRun), Step: text("step"), Index: text("index"), Value: text("value")}
		e.Fence, _ = strconv.ParseInt(r.Header.Get(wire.HeaderFence), 10, 64) // 0 where nothing is held
		if r.URL.Path == "/hold" {
			e.On = text("callbackParameter")
		}
		hash := sha256.Sum256(wire.Raw(in))
		e.Hash = hex.EncodeToString(hash[:8])
		all = append(all, e)
		resp.Results.Outputs = append(resp.Results.Outputs, wire.Row{"callbackParameter": in["callbackParameter"],
			"errorCode": wire.Raw("0"), "errorMessage": wire.Raw("")})
	}
	write := func() bool {
		for _, e := range all {
			if err := j.add(e); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return false
			}
		}
		return true
	}
	if !write() {
		return
	}
	if r.URL.Path == "/hold" {
		<-time.After(20 * time.Millisecond) // the work, during which nobody else may be at it
	}
	for i := range all {
		all[i].Ended = time.Now()
	}
	if write() {
		_, _ = w.Write(wire.Raw(resp))
	}
}

// startWitness starts the third process and gives its address.
func startWitness(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), witnessing+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // ends with its input
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}
