package bundle_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// engine is a Docker engine of the test's own, in a network namespace without a way
// out.
type engine struct {
	*testing.T
	socket string
	net    string // file of the namespace
}

func docker(t *testing.T) *engine {
	t.Helper()
	needs(t, true, "dockerd", "containerd", "docker", "ip", "nsenter")
	dir, err := os.MkdirTemp("", "sxd") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(dir)
	e := &engine{T: t, socket: filepath.Join(dir, "d.sock"), net: "/run/netns/" + name}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	run(t, "ip", "netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	run(t, "nsenter", "--net="+e.net, "ip", "link", "set", "lo", "up")
	config, err := json.Marshal(map[string]any{
		"data-root": dir + "/data", "exec-root": dir + "/exec", "pidfile": dir + "/d.pid", "hosts": []string{"unix://" + e.socket},
		"exec-opts": []string{"native.cgroupdriver=cgroupfs"}, "storage-driver": "overlay2"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "daemon.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	d := start(t, exec.Command("nsenter", "--net="+e.net, "dockerd", "--config-file", file))
	t.Cleanup(func() {
		_ = d.Process.Signal(syscall.SIGTERM)
		_ = d.Wait()
	})
	d.until(t, "API listen on")
	return e
}

func (e *engine) docker(args ...string) string {
	e.Helper()
	return run(e.T, "docker", append([]string{"--host", "unix://" + e.socket}, args...)...)
}

// server starts the image as the Compose file does, waits until it is ready, and gives
// what it has said.
func (e *engine) server(name string) string {
	e.Helper()
	e.docker("run", "--detach", "--name", name, "--publish", "127.0.0.1:8066:8066", "--volume",
		"data:/data", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "sextant:"+version)
	logs := start(e.T, exec.CommandContext(e.Context(), "docker", "--host", "unix://"+e.socket, "logs", "--follow", name))
	logs.until(e.T, "the server is ready")
	return e.docker("logs", name) // whole: the two streams come in any order
}

// The image is loaded by an engine and serves: as nobody, from a root that cannot be
// written, and with its data in the volume, where the next container finds it.
func TestTheImageRuns(t *testing.T) {
	t.Parallel()
	e := docker(t)
	if out := e.docker("load", "--input", file(t, "sextant-", ".tar")); !strings.Contains(out, "sextant:"+version) {
		t.Fatalf("docker load: %s", out)
	}
	if logs := e.server("first"); !strings.Contains(logs, "This is the first start") {
		t.Errorf("the first start says nothing of the administrator:\n%s", logs)
	}
	c := within(e.net)
	if status, body := get(t, c, "http://127.0.0.1:8066/readyz", ""); status != http.StatusOK {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, body := get(t, c, "http://127.0.0.1:8066/", "localhost"); status != http.StatusOK ||
		!strings.Contains(body, "<!doctype html>") {
		t.Errorf("the console: %d %.100s", status, body)
	}
	if status, _ := get(t, c, "http://127.0.0.1:8066/", "another.example"); status != http.StatusMisdirectedRequest {
		t.Errorf("under a name that is not its own it answers %d", status)
	}
	if out := e.docker("exec", "first", "/sextant", "--version"); !strings.Contains(out, version) {
		t.Errorf("the program is %s", out)
	}
	status, err := os.ReadFile("/proc/" + e.docker("inspect", "--format", "{{.State.Pid}}", "first") + "/status")
	if err != nil || !strings.Contains(string(status), "\nUid:\t65532\t65532\t") ||
		!strings.Contains(string(status), "\nCapEff:\t0000000000000000\n") {
		t.Errorf("the process: %v\n%s", err, status)
	}
	began := time.Now()
	e.docker("stop", "--time", "30", "first")
	if code := e.docker("inspect", "--format", "{{.State.ExitCode}}", "first"); code != "0" {
		t.Errorf("it ends with %s after %s:\n%s", code, time.Since(began), e.docker("logs", "first"))
	}
	e.docker("rm", "first")
	if logs := e.server("second"); strings.Contains(logs, "This is the first start") {
		t.Error("the second container does not find the data of the first")
	}
	if status, body := get(t, c, "http://127.0.0.1:8066/readyz", ""); status != http.StatusOK {
		t.Errorf("/readyz of the second: %d %s", status, body)
	}
	e.docker("stop", "--time", "30", "second")
}

// Engines that read OCI layouts find one: an index, and every blob under its sum.
func TestTheImageIsAnOCILayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, "tar", "-xf", file(t, "sextant-", ".tar"), "-C", dir)
	var index struct {
		Manifests []struct{ MediaType, Digest string }
	}
	read := func(name string, into any) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	read("index.json", &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("the index is %+v", index)
	}
	blob := func(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }
	var manifest struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	read(blob(index.Manifests[0].Digest), &manifest)
	for _, d := range append([]struct{ Digest string }{manifest.Config, {index.Manifests[0].Digest}}, manifest.Layers...) {
		sum := strings.Fields(run(t, "sha256sum", filepath.Join(dir, blob(d.Digest))))[0]
		if "sha256:"+sum != d.Digest {
			t.Errorf("the blob %s has the sum %s", d.Digest, sum)
		}
	}
	var loaded []struct{ Config string }
	read("manifest.json", &loaded)
	if len(loaded) != 1 || loaded[0].Config != blob(manifest.Config.Digest) {
		t.Errorf("docker would load %v", loaded)
	}
	listed := run(t, "tar", "-tzvf", filepath.Join(dir, blob(manifest.Layers[0].Digest)))
	for _, want := range []string{"etc/ssl/certs/ca-certificates.crt", "etc/passwd", fmt.Sprintf("65532/%d", 65532)} {
		if !strings.Contains(listed, want) {
			t.Errorf("the ground layer lacks %s:\n%s", want, listed)
		}
	}
}
