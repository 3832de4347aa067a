package guide_test

import (
	"strings"
	"syscall"
	"testing"
)

// chapter is documents that are read one after the other, before the same server.
type chapter struct {
	docs    []string
	prepare func(*world)            // what its reader has done before
	before  map[string]func(*world) // what has happened when a part of it is read
	after   func(*world)
}

// settled is who has done what Own script, own host tells.
func settled(w *world) {
	w.must("sextant server", "sextant login --link sxl_…",
		"sextant connection set lab --field user=deploy --secret-file private_key=$HOME/.ssh/id_ed25519",
		`sextant object create host:host/web-1 --set name=web-1 --set address=192.0.2.10 --set port=22 --set "host_key=ssh-ed25519 AAAA…"`)
}

// fails starts a run whose script fails.
func fails(w *world) {
	w.broken(true)
	w.do(step{doc: "before", command: "sextant run check-disk --object host:host/web-1 --var limit=80 --var credential=connection/lab",
		code: 1})
}

func chapters(t *testing.T) []chapter {
	t.Helper()
	checkDisk := parse("", read(t, "docs/guide/model-a-process.md")).files["check-disk.bpmn"]
	return []chapter{
		{docs: []string{"docs/guide/first-ten-minutes.md", "docs/guide/object-paths.md"}, after: func(w *world) {
			w.kill(syscall.SIGINT) // its last part: Ctrl-C
			w.nothingIsLeft()
		}},
		{docs: []string{"README.md"}, prepare: func(w *world) { w.file("check-disk.bpmn", checkDisk) }},
		{docs: []string{"docs/guide/own-script-own-host.md"}, prepare: func(w *world) {
			w.file("deploy.sh", "echo \"deploying $1\"\necho done\n")
			w.file("app.tar.gz", "a package")
		}},
		{docs: []string{"docs/guide/model-a-process.md"}, prepare: func(w *world) {
			settled(w)
			w.full("91")
		}},
		{docs: []string{"docs/guide/decisions.md"}},
		{docs: []string{"docs/operate/repair-a-run.md"}, prepare: func(w *world) {
			settled(w)
			w.file("check-disk.bpmn", checkDisk)
			w.must("sextant process deploy check-disk.bpmn")
			fails(w)
		}, before: map[string]func(*world){
			"Tasks": func(w *world) {
				w.broken(false)
				w.full("91")
				w.do(step{doc: "before",
					command: "sextant run check-disk --object host:host/web-1 --var limit=80 --var credential=connection/lab", code: 1})
			},
			"Who holds this object?": func(w *world) {
				w.until("the run before does not end", func() bool {
					return !strings.Contains(w.shell.run(w.t, "sextant runs list --state active").out, "check-disk")
				})
				fails(w)
			},
		}},
		{docs: []string{"docs/operate/server.md"}, after: (*world).folderIsTold},
		{docs: []string{"docs/operate/users-and-roles.md"}, prepare: func(w *world) {
			settled(w)
			w.must("export SEXTANT_TOKEN=$(sextant token create rights --scope user.read --scope user.write --scope user.create)",
				`curl -X POST $SEXTANT_URL/api/v1/users -H "Authorization: Bearer $SEXTANT_TOKEN" -H 'Content-Type: application/json' -d `+
					`'{"name":"ada","password":"quiet harbour at noon","grants":[]}'`)
		}},
		{docs: []string{"docs/operate/recover.md"}, prepare: func(w *world) {
			w.must("sextant server --data /var/lib/sextant", "sextant login --link sxl_…",
				"sextant connection set lab --field user=deploy --secret-file private_key=$HOME/.ssh/id_ed25519",
				`sextant object create host:host/web-1 --set name=web-1 --set address=192.0.2.10 --set port=22 --set `+
					`"host_key=ssh-ed25519 AAAA…"`)
			w.file("check-disk.bpmn", checkDisk)
			w.must("sextant process deploy check-disk.bpmn")
			w.full("91")
			w.do(step{doc: "before",
				command: "sextant run check-disk --object host:host/web-1 --var limit=80 --var credential=connection/lab", code: 1})
			w.kill(syscall.SIGKILL)
		}, before: map[string]func(*world){
			"Backup": func(w *world) { w.kill(syscall.SIGTERM) },
			"A run that takes the server down": func(w *world) {
				w.must("sextant runs list")
				w.kill(syscall.SIGTERM)
			},
		}},
		{docs: []string{"docs/plugin-authors/write-a-plugin.md"}, prepare: settled},
		{docs: []string{"CONTRIBUTING.md"}},
	}
}

// elsewhere are the commands that are not run here, each with the reason: those that
// run this very test or other stages beside it. One more has to say why.
func elsewhere() map[string]string {
	const server = "it needs a database server: test/e2e does the same on its own"
	return map[string]string{
		"docs/operate/databases.md: sextant server --data /var/lib/sextant --database " +
			"'postgres://sextant:a%20long%20one@db.example.com/sextant?sslmode=verify-full'": server,
		"docs/operate/databases.md: sextant database copy file 'postgres://sextant:a%20long%20one@db.example.com/sextant' --data /var/lib/sextant": server,
		"docs/operate/databases.md: pg_dump --format=custom --file=sextant.dump sextant":                                                           server,
		"docs/operate/databases.md: mariadb-dump --single-transaction --databases sextant sextant_plugin_cmdb sextant_plugin_host > sextant.sql":   server,
		"README.md: make demo":                  "it is played in docs/guide/first-ten-minutes.md",
		"README.md: make test":                  "it runs this test",
		"CONTRIBUTING.md: make dev":             "a server from source, which stays",
		"CONTRIBUTING.md: make check":           "a part of make test",
		"CONTRIBUTING.md: make lint":            "a part of make test",
		"CONTRIBUTING.md: make test":            "it runs this test",
		"CONTRIBUTING.md: make browser":         "a part of make test",
		"CONTRIBUTING.md: make databases":       "a part of make test",
		"CONTRIBUTING.md: make chaos":           "a part of make test",
		"CONTRIBUTING.md: make sabotage":        "it breaks the code for as long as half an hour",
		"CONTRIBUTING.md: make soak SOAK=60":    "it takes an hour",
		"CONTRIBUTING.md: make bench":           "it measures the machine for minutes",
		"CONTRIBUTING.md: make gen":             "a part of make lint where CI is set",
		"CONTRIBUTING.md: go test ./docs":       "a part of make test",
		"CONTRIBUTING.md: go test ./test/guide": "it runs this test",
		"CONTRIBUTING.md: go test ./test/trust": "a part of make test",
	}
}
