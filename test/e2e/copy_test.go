package e2e_test

import (
	"log/slog"
	"strings"
	"testing"

	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/server"
	"sextant/internal/testkit/dbserver"
	"sextant/internal/testkit/platform"
	"sextant/sdk/go/client"
	"sextant/sdk/go/sqldb"
)

const copied = `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
	`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="x">
<process id="copied" isExecutable="true"><startEvent id="s"/><sequenceFlow id="a" sourceRef="s" targetRef="t"/>
<userTask id="t" name="Look"><extensionElements><zeebe:userTask/></extensionElements></userTask>` +
	`<sequenceFlow id="b" sourceRef="t" targetRef="e"/><endEvent id="e"/></process></definitions>`

// A platform moves from its file to a server and on to another one, with a run
// that waits, and goes on there.
func TestAPlatformMovesToAnotherDatabase(t *testing.T) {
	t.Parallel()
	p := platform.Start(t, map[string]any{"database": ""})
	if err := p.Deploy([]byte(copied)); err != nil {
		t.Fatal(err)
	}
	p.Must("POST", "/api/v1/objects/cmdb:object_type", []map[string]any{{"id": "box", "title_en": "Box \\ 'quoted' 箱"}}, nil)
	run := p.Run(platform.Request{Process: "copied", Variables: map[string]any{"note": "a \\ 'text' with 数据"}})
	places := []string{"file", dbserver.Fresh(t, sqldb.Postgres), dbserver.Fresh(t, sqldb.MySQL)}
	o := func(database string) server.Options {
		l, err := config.Load("", map[string]any{"data": p.Data, "database": database})
		if err != nil {
			t.Fatal(err)
		}
		return server.Options{Config: l.Config, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler)}
	}
	if _, err := server.CopyDatabase(t.Context(), o(""), places[0], places[1]); err == nil ||
		!strings.Contains(err.Error(), "another server uses the folder") {
		t.Errorf("while the server runs: %v", err)
	}
	for i := range 2 {
		if err := p.Server.Close(); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // the folder has a platform, the database none
			_, err := server.Open(t.Context(), o(places[1]))
			if err == nil || !strings.Contains(err.Error(), "sextant database copy") {
				t.Errorf("an empty database: %v", err)
			}
		}
		all, err := server.CopyDatabase(t.Context(), o(""), places[i], places[i+1])
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string]int64{}
		for _, c := range all {
			for _, table := range c.Tables {
				rows[table.Name] += table.Rows
			}
		}
		if len(all) != 3 || rows["process_run"] != 1 || rows["worklist_task"] != 1 || rows["object_row"] == 0 || rows["engine_record"] == 0 {
			t.Errorf("copied %v", rows)
		}
		if _, err := server.CopyDatabase(t.Context(), o(""), places[i], places[i+1]); err == nil || !strings.Contains(err.Error(), "not empty") {
			t.Errorf("a second time: %v", err)
		}
		p = platform.Start(t, map[string]any{"data": p.Data, "database": places[i+1]})
	}
	var tasks client.PageOfWorklistTask
	p.Must("GET", "/api/v1/tasks", nil, &tasks)
	if len(tasks.Items) != 1 {
		t.Fatalf("tasks %+v", tasks.Items)
	}
	p.Must("POST", "/api/v1/tasks/"+tasks.Items[0].Key+"/complete", map[string]any{}, nil)
	if got := p.Ended(run); got.State != "completed" {
		t.Errorf("the run is %s", got.State)
	}
	if data, err := p.Download(t.Context(), "/api/v1/objects/cmdb:object_type/box"); err != nil || !strings.Contains(string(data), `箱`) {
		t.Errorf("%s %v", data, err)
	}
}
