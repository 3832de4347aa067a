package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"sextant/sdk/go/client"
	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

const (
	pathRows   = 50
	pathParams = 10
)

// counting counts the queries that reach a store.
type counting struct {
	plugin.Store
	n *atomic.Int64
}

// Query counts and asks.
func (c counting) Query(ctx context.Context, typ string, q wire.Query) ([]wire.Row, string, error) {
	c.n.Add(1)
	return c.Store.Query(ctx, typ, q)
}

// chain is three types joined by two links; the last has ten attributes.
func chain() []wire.ObjectType {
	id := wire.Attribute{Name: "id", Type: wire.TypeString, Required: true, Unique: true, Title: wire.Text{"en": "Id", "zh": "标识"}}
	title := func(s string) wire.Text { return wire.Text{"en": s, "zh": s} }
	last := wire.ObjectType{Type: "third", Title: title("Third"), Attributes: []wire.Attribute{id}}
	for i := range pathParams {
		last.Attributes = append(last.Attributes, wire.Attribute{Name: fmt.Sprintf("a%d", i), Type: wire.TypeString, Title: title("A")})
	}
	return []wire.ObjectType{
		{Type: "first", Title: title("First"), Attributes: []wire.Attribute{
			id, {Name: "second", Type: wire.TypeRef, To: "chain:second", Title: title("Second")}}},
		{Type: "second", Title: title("Second"), Attributes: []wire.Attribute{
			id, {Name: "third", Type: wire.TypeRef, To: "chain:third", Title: title("Third")}}},
		last,
	}
}

type ten struct {
	A0 string `sx:"a0,required"`
	A1 string `sx:"a1,required"`
	A2 string `sx:"a2,required"`
	A3 string `sx:"a3,required"`
	A4 string `sx:"a4,required"`
	A5 string `sx:"a5,required"`
	A6 string `sx:"a6,required"`
	A7 string `sx:"a7,required"`
	A8 string `sx:"a8,required"`
	A9 string `sx:"a9,required"`
}

func chainPlugin(dir string, queries *atomic.Int64, begun chan<- time.Time) *plugin.Plugin {
	p := plugin.New(wire.Manifest{Plugin: "chain", Version: "1.0.0", Title: wire.Text{"en": "Chain", "zh": "链"}, Objects: chain()})
	p.OnStart(func(ctx context.Context, h *plugin.Host) error {
		db, dialect, err := sqldb.Open("sqlite:"+filepath.Join(dir, "chain.db"), false)
		if err != nil {
			return err
		}
		h.DB, h.Dialect = db, string(dialect)
		store, err := objectstore.Open(ctx, h, "chain", objectstore.Fixed(chain()))
		if err != nil {
			return err
		}
		for _, t := range chain() {
			p.Objects(t.Type, counting{store, queries})
		}
		return nil
	})
	plugin.Action(p, plugin.Spec{Service: "take", Action: "ten", Title: wire.Text{"en": "Take ten", "zh": "取十"},
		Idempotent: true, Batch: pathRows, Risk: wire.RiskRead, Target: "chain:first"},
		func(_ context.Context, call *plugin.Call, in ten) (nothing, error) {
			if in.A9 != "9 of third-"+strings.TrimPrefix(call.Row, "chain:first/first-") {
				return nothing{}, errors.New("a wrong value came: " + in.A9)
			}
			select {
			case begun <- time.Now():
			default:
			}
			return nothing{}, nil
		})
	return p
}

// pathFigures measures ten parameters that share a path over two links, for
// fifty rows: the queries that reach the owner, and the time until the service
// has its inputs.
func pathFigures(r *report) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p, err := openRooms(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer p.server.Close()
	var queries atomic.Int64
	begun := make(chan time.Time, 1)
	stop, err := p.plug(ctx, chainPlugin(dir, &queries, begun))
	if err != nil {
		return err
	}
	defer stop()
	refs, err := p.fillChain(ctx)
	if err != nil {
		return err
	}
	if err := p.Upload(ctx, "/api/v1/processes", "application/xml", bytes.NewReader([]byte(takeTen())), nil); err != nil {
		return err
	}
	body := map[string]any{"process": "take", "objects": refs}
	queries.Store(0)
	if err := p.Call(ctx, "POST", "/api/v1/runs/preview", body, nil); err != nil {
		return err
	}
	door := queries.Swap(0) // it reads what the run will read, to judge it
	var v client.ControlVerdict
	start := time.Now()
	if err := p.Call(ctx, "POST", "/api/v1/runs", body, &v); err != nil {
		return err
	}
	var at time.Time
	select {
	case at = <-begun:
	case <-ctx.Done():
		return fmt.Errorf("the run %s never came to its service with the right inputs: %w", v.Run, context.Cause(ctx))
	}
	checked := queries.Load()
	if err := p.Watch(ctx, v.Run, nil, func(u client.Update) bool { return u.Run.State == "active" }); err != nil {
		return err
	}
	r.add("object.path.calls", float64(checked-door), "calls", 3, "3 types, 2 links, 50 rows, 10 parameters that share the path")
	r.add("object.path.ms", float64(at.Sub(start).Microseconds())/1000, "ms",
		0, "from the request of the run until the service has its inputs")
	return nil
}

func (r *rooms) fillChain(ctx context.Context) ([]string, error) {
	var first, second, third []map[string]any
	var refs []string
	for i := range pathRows {
		row := map[string]any{"id": fmt.Sprintf("third-%d", i)}
		for a := range pathParams {
			row[fmt.Sprintf("a%d", a)] = fmt.Sprintf("%d of third-%d", a, i)
		}
		third = append(third, row)
		second = append(second, map[string]any{"id": fmt.Sprintf("second-%d", i), "third": row["id"]})
		first = append(first, map[string]any{"id": fmt.Sprintf("first-%d", i), "second": fmt.Sprintf("second-%d", i)})
		refs = append(refs, fmt.Sprintf("chain:first/first-%d", i))
	}
	for _, t := range []struct {
		name string
		rows []map[string]any
	}{{"third", third}, {"second", second}, {"first", first}} {
		if err := r.Call(ctx, "POST", "/api/v1/objects/chain:"+t.name, t.rows, nil); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

func takeTen() string {
	var inputs strings.Builder
	for i := range pathParams {
		fmt.Fprintf(&inputs, `<sextant:input name="a%d" from="path" value=".second&gt;chain:second.third&gt;chain:third.a%d"/>`, i, i)
	}
	return `<?xml version="1.0"?><definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" ` +
		`xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:sextant="urn:sextant:bpmn:1" targetNamespace="t">` +
		`<process id="take" isExecutable="true"><startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<serviceTask id="t"><extensionElements><zeebe:taskDefinition type="plugin:chain/take/ten"/>` + inputs.String() +
		`</extensionElements></serviceTask><sequenceFlow id="f2" sourceRef="t" targetRef="e"/><endEvent id="e"/></process></definitions>`
}
