package server_test

import (
	"path/filepath"
	"slices"
	"testing"

	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
)

const askTwice = `<startEvent id="start"/><sequenceFlow id="f1" sourceRef="start" targetRef="one"/><userTask id="one"/><sequenceFlow ` +
	`id="f2" sourceRef="one" targetRef="two"/><userTask id="two"/><sequenceFlow id="f3" sourceRef="two" targetRef="end"/><endEvent id="end"/>`

// The numbers of elements are stored with a definition. One of a server that did
// not number yet gets them at the start, and its runs go on.
func TestDefinitionsOfBeforeAreNumbered(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	admin := g.login("admin", adminPass)
	if status, _, answer := g.deploy(admin, "ask", askTwice); status >= 300 {
		t.Fatalf("%d: %s", status, answer)
	}
	run := g.start(admin, "ask")
	file := filepath.Join(g.data, "sextant.db")
	g.stop()
	before := numbers(t, file)
	if len(before) != 5+3 || before[0] != "ask" {
		t.Fatalf("deployed with the numbers %v", before)
	}
	numbers(t, file, "DELETE FROM process_element", "UPDATE process_definition SET compiler = 0")
	if err := g.reopen(nil); err != nil {
		t.Fatal(err)
	}
	admin = g.login("admin", adminPass)
	for _, element := range []string{"one", "two"} {
		var tasks struct {
			Items []struct{ Key, Element string }
		}
		g.must("GET", "/api/v1/tasks", admin, nil, &tasks)
		if len(tasks.Items) != 1 || tasks.Items[0].Element != element {
			t.Fatalf("the open tasks are %v", tasks.Items)
		}
		g.must("POST", "/api/v1/tasks/"+tasks.Items[0].Key+"/complete", admin, map[string]any{}, nil)
	}
	var ended struct{ State string }
	g.must("GET", "/api/v1/runs/"+run, admin, nil, &ended)
	if ended.State != "completed" {
		t.Errorf("the run is %s", ended.State)
	}
	g.stop()
	if after := numbers(t, file); !slices.Equal(after, before) {
		t.Errorf("the numbers are %v and were %v", after, before)
	}
	if err := g.reopen(nil); err != nil { // the gate closes it
		t.Fatal(err)
	}
}

// numbers runs statements on the file of a stopped server and gives the ids in the
// order of their numbers, elements before flows.
func numbers(t *testing.T, file string, statements ...string) []string {
	t.Helper()
	d, err := db.Open(t.Context(), dbserver.Address(t, file))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.Do(t.Context(), func(tx *db.Tx) error {
		for _, text := range statements {
			if _, err := tx.Exec(text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	rows, err := d.Query(t.Context(), "SELECT id FROM process_element ORDER BY flow, number")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}
