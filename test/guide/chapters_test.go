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
		{docs: []string{"docs/guide/workers.md"}, prepare: settled},
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
		"docs/operate/databases.md: sextant database copy file 'postgres://sextant:a%20long%20one@db.example.com/sextant' " +
			"--data /var/lib/sextant": server,
		"docs/operate/databases.md: pg_dump --format=custom " +
			"--file=sextant.dump sextant": server,
		"docs/operate/databases.md: mariadb-dump --single-transaction --databases " +
			"sextant sextant_plugin_cmdb sextant_plugin_host > sextant.sql": server,
		"README.md: make demo":                                                   "it is played in docs/guide/first-ten-minutes.md",
		"README.md: make test":                                                   "it runs this test",
		"CONTRIBUTING.md: make dev":                                              "a server from source, which stays",
		"CONTRIBUTING.md: make check":                                            "a part of make test",
		"CONTRIBUTING.md: make lint":                                             "a part of make test",
		"CONTRIBUTING.md: make test":                                             "it runs this test",
		"CONTRIBUTING.md: make browser":                                          "a part of make test",
		"CONTRIBUTING.md: make databases":                                        "a part of make test",
		"CONTRIBUTING.md: make chaos":                                            "a part of make test",
		"CONTRIBUTING.md: make sabotage":                                         "it breaks the code for as long as half an hour",
		"CONTRIBUTING.md: make soak SOAK=60":                                     "it takes an hour",
		"CONTRIBUTING.md: make bench":                                            "it measures the machine for minutes",
		"CONTRIBUTING.md: make release":                                          "it compiles for five systems",
		"CONTRIBUTING.md: make gen":                                              "a part of make lint where CI is set",
		"CONTRIBUTING.md: go test ./docs":                                        "a part of make test",
		"CONTRIBUTING.md: go test ./test/guide":                                  "it runs this test",
		"CONTRIBUTING.md: go test ./test/trust":                                  "a part of make test",
		"docs/operate/install.md: minisign -Vm SHA256SUMS -p sextant.pub":        "TestMinisignAndSha256sumTakeTheRelease",
		"docs/operate/install.md: sha256sum --check --ignore-missing SHA256SUMS": "TestMinisignAndSha256sumTakeTheRelease",
		"docs/operate/install.md: tar -xzf sextant-1.0.0-linux-amd64.tar.gz":     "TestTheProgramIsStaticAndTellsItsVersion",
		"docs/operate/install.md: sudo install -m 0755 sextant-1.0.0-linux-amd64/sextant " +
			"/usr/local/bin/sextant": "TestTheProgramIsStaticAndTellsItsVersion",
		"docs/operate/install.md: " +
			"sextant server": "it is run in " +
			"docs/operate/server.md",
		"docs/operate/install.md: sudo apt install " +
			"./sextant_1.0.0_amd64.deb": "TestTheDebianPackage, " +
			"in a system whose writes are thrown away",
		"docs/operate/install.md: sudo systemctl enable " +
			"--now sextant": "TestTheDebianPackage, " +
			"in a system whose writes are thrown away",
		"docs/operate/install.md: " +
			"journalctl -u sextant": "TestTheDebianPackage, " +
			"in a system whose writes are thrown away",
		"docs/operate/install.md: docker load --input " +
			"sextant-1.0.0-image-linux-amd64.tar": "TestTheImageRuns, with an engine of its own",
		"docs/operate/install.md: docker run --detach --name sextant --publish " +
			"127.0.0.1:8066:8066 --volume sextant:/data sextant:1.0.0": "TestTheImageRuns, with an engine of its own",
		"docs/operate/install.md: " +
			"docker logs sextant": "TestTheImageRuns, " +
			"with an engine of its own",
		"docs/operate/install.md: docker compose " +
			"up --detach": "its images come from a registry; " +
			"TestTheComposeFile reads the file",
		"docs/operate/install.md: docker compose " +
			"logs sextant": "its images come from a registry; " +
			"TestTheComposeFile reads the file",
		"docs/operate/install.md: sextant login --url " +
			"https://ops.example.com": "it names a server elsewhere",
		"docs/operate/install.md: " +
			"make release": "it compiles for five systems",
		"docs/operate/install.md: make release KEY=sextant.key " +
			"PASSWORD=password.txt": "it compiles for five systems",
		"docs/operate/upgrade.md: sextant upgrade --check --data " +
			"/var/lib/sextant": "TestUpgradeCheck",
		"docs/operate/upgrade.md: rm /var/lib/sextant/sextant.db /var/lib/sextant/sextant.db-wal " +
			"/var/lib/sextant/sextant.db-shm": "TestAnUpgradeIsToldAndCopiedBefore compares the copy",
		"docs/operate/upgrade.md: cp -p /var/lib/sextant/before/202611240900/* " +
			"/var/lib/sextant/": "TestAnUpgradeIsToldAndCopiedBefore compares the copy",
	}
}
