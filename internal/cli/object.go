package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/terminal/table"
	"sextant/sdk/go/client"
	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/wire"
)

func (a *app) objectCmd() *cobra.Command {
	types := &cobra.Command{
		Use: "types", Short: "Object types with their attributes", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.objectTypes(c.Context()) },
	}
	var filters []string
	list := &cobra.Command{
		Use: "list <package:type>", Short: "Objects of a type", Args: command.Exactly(1, "an object type"),
		RunE: func(c *cobra.Command, args []string) error { return a.objects(c.Context(), args[0], filters) },
	}
	list.Flags().StringArrayVar(&filters, "where", nil, "attribute=value; may be given many times")
	show := &cobra.Command{
		Use: "show <package:type/id>", Short: "One object", Args: command.Exactly(1, "an object"),
		RunE: func(c *cobra.Command, args []string) error { return a.object(c.Context(), args[0]) },
	}
	var o runOptions
	var past override
	set := &cobra.Command{
		Use: "set <package:type/id>", Short: "Change attributes of an object", Args: command.Exactly(1, "an object"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.writeObject(c.Context(), "PATCH", args[0], o, past)
		},
	}
	past.flag(set)
	set.Flags().StringArrayVar(&o.vars, "set", nil, "attribute=value; may be given many times")
	set.Flags().IntVar(&o.version, "if-version", 0, "change this version alone, as show tells it")
	var fresh runOptions
	var pastAgain override
	create := &cobra.Command{
		Use: "create <package:type/id>", Short: "Create an object", Args: command.Exactly(1, "an object"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.writeObject(c.Context(), "POST", args[0], fresh, pastAgain)
		},
	}
	pastAgain.flag(create)
	create.Flags().StringArrayVar(&fresh.vars, "set", nil, "attribute=value; may be given many times")
	remove := &cobra.Command{
		Use: "delete <package:type/id>", Short: "Delete an object that nothing refers to", Args: command.Exactly(1, "an object"),
	}
	var version int
	var pastToo override
	remove.RunE = func(c *cobra.Command, args []string) error {
		return a.deleteObject(c.Context(), args[0], version, pastToo)
	}
	pastToo.flag(remove)
	remove.Flags().IntVar(&version, "if-version", 0, "delete this version alone, as show tells it")
	var dry bool
	load := &cobra.Command{
		Use: "import <file.yaml>", Short: "Create or change types and objects of the CMDB from a file, all or nothing",
		Args: command.Exactly(1, "a YAML file"),
		RunE: func(c *cobra.Command, args []string) error { return a.importObjects(c.Context(), args[0], dry) },
	}
	load.Flags().BoolVar(&dry, "dry-run", false, "check only")
	path := &cobra.Command{
		Use: "path <package:type/id> <path>", Short: "Follow an object path", Args: command.Exactly(2, "an object and a path"),
		RunE: func(c *cobra.Command, args []string) error { return a.path(c.Context(), args[0], args[1]) },
	}
	return command.Group("object", "Objects", types, list, show, create, set, remove, load, path)
}

// override is why the lock of a run does not bind a change.
type override struct{ reason string }

func (o *override) flag(c *cobra.Command) {
	c.Flags().StringVar(&o.reason, "override-reason", "",
		"why the lock of a run does not bind this change; needs the right lock.override, and goes on record")
}

func (o *override) header() (map[string]string, error) {
	if strings.ContainsFunc(o.reason, unicode.IsControl) {
		return nil, command.Usage("--override-reason: want one line of text")
	}
	return map[string]string{"Override-Reason": o.reason}, nil
}

// anyType takes every value as JSON where it is some.
func anyType(pairs []string) map[string]string {
	types := map[string]string{}
	for _, p := range pairs {
		name, _, _ := strings.Cut(p, "=")
		types[name] = typeAny
	}
	return types
}

func (a *app) objectTypes(ctx context.Context) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.ObjectTypeList
	if err := api.Call(ctx, "GET", "/api/v1/object-types", nil, &page); err != nil {
		return err
	}
	return a.Show(page, func(w io.Writer) {
		for _, t := range page.Items {
			var all []string
			for _, at := range t.Attributes {
				all = append(all, at.Name)
			}
			fmt.Fprintf(w, "%s:%s\t%s\n", t.Plugin, t.Type, strings.Join(all, " "))
		}
	})
}

func (a *app) objects(ctx context.Context, typ string, where []string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	all := []map[string]any{}
	for _, f := range where {
		attr, v, ok := strings.Cut(f, "=")
		if !ok {
			return command.Usage("--where %q: want attribute=value", f)
		}
		all = append(all, map[string]any{"attrName": attr, "op": "eq", "condition": v})
	}
	var page client.PageOfWireRow
	if err := api.Call(ctx, "POST", client.Query("/api/v1/objects/"+url.PathEscape(typ)+"/query", "project", a.target.project),
		map[string]any{"additionalFilters": all}, &page); err != nil {
		return err
	}
	a.cut(page.Next, "narrow the list with --where attribute=value")
	return a.Show(page, func(w io.Writer) {
		for _, row := range page.Items {
			fmt.Fprintf(w, "%s/%v\t%s\n", typ, row["id"], attributes(row))
		}
	})
}

// attributes is a row on one line.
func attributes(row map[string]any) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(row)) {
		if k != "id" && k != "displayName" && k != wire.AttrVersion && row[k] != nil {
			all = append(all, k+"="+table.Plain(row[k]))
		}
	}
	return strings.Join(all, " ")
}

func objectPath(ref string) (string, error) {
	typ, id, ok := strings.Cut(ref, "/")
	if !ok || !strings.Contains(typ, ":") || id == "" {
		return "", command.Usage("%q names no object: write package:type/id", ref)
	}
	return "/api/v1/objects/" + url.PathEscape(typ) + "/" + url.PathEscape(id), nil
}

func (a *app) object(ctx context.Context, ref string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	path, err := objectPath(ref)
	if err != nil {
		return err
	}
	var row map[string]any
	if err := api.Call(ctx, "GET", client.Query(path, "project", a.target.project), nil, &row); err != nil {
		return err
	}
	return a.Show(row, func(w io.Writer) {
		for _, k := range slices.Sorted(maps.Keys(row)) {
			fmt.Fprintf(w, "%s\t%s\n", k, table.Plain(row[k]))
		}
	})
}

// writeObject creates an object, or changes attributes of one.
func (a *app) writeObject(ctx context.Context, method, ref string, o runOptions, past override) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	header, err := past.header()
	if err != nil {
		return err
	}
	row, err := o.variables(anyType(o.vars))
	if err != nil {
		return err
	}
	typ, id, ok := strings.Cut(ref, "/")
	if !ok || len(row) == 0 {
		return command.Usage("want an object package:type/id and --set attribute=value")
	}
	row["id"] = id
	if o.version > 0 {
		row[wire.AttrVersion] = o.version
	}
	var page client.PageOfWireRow
	if err := api.CallWith(ctx, method, client.Query("/api/v1/objects/"+url.PathEscape(typ), "project", a.target.project),
		header, []any{row}, &page); err != nil {
		return err
	}
	return a.Show(page.Items, func(w io.Writer) {
		for _, row := range page.Items {
			fmt.Fprintf(w, "%s\t%s\n", ref, attributes(row))
		}
	})
}

func (a *app) deleteObject(ctx context.Context, ref string, version int, past override) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	header, err := past.header()
	if err != nil {
		return err
	}
	if _, err := objectPath(ref); err != nil {
		return err
	}
	typ, id, _ := strings.Cut(ref, "/")
	row := wire.Row{wire.AttrID: wire.Raw(id)}
	if version > 0 {
		row[wire.AttrVersion] = wire.Raw(version)
	}
	body := objectdoc.Body{Changes: []objectdoc.Change{{Op: wire.OpDelete, Type: typ, Row: row}}}
	if err := api.CallWith(ctx, "POST", client.Query(objectdoc.Path, "project", a.target.project), header, body, nil); err != nil {
		return err
	}
	return a.Show(map[string]string{"result": "deleted"}, func(w io.Writer) { fmt.Fprintln(w, "deleted") })
}

func (a *app) path(ctx context.Context, ref, path string) error {
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var page client.PageOfObjectFound
	body := map[string]any{"from": []string{ref}, "path": path}
	if err := api.Call(ctx, "POST", client.Query("/api/v1/object-paths/evaluate", "project", a.target.project), body, &page); err != nil {
		return err
	}
	return a.Show(page.Items, func(w io.Writer) {
		for _, v := range page.Items {
			for _, one := range v.Values {
				raw, _ := json.Marshal(one) // it was JSON
				fmt.Fprintf(w, "%s\t%s\n", v.Object, raw)
			}
		}
	})
}

// importObjects brings the types and objects of a file to the platform, all or
// nothing, and says in the places of the file what is wrong.
func (a *app) importObjects(ctx context.Context, file string, dry bool) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	doc, err := objectdoc.Parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	api, err := a.target.client()
	if err != nil {
		return err
	}
	var answer objectdoc.Answer
	err = api.Call(ctx, "POST", client.Query(objectdoc.Path, "project", a.target.project), doc.Body("cmdb", dry), &answer)
	var refused *client.Error
	if errors.As(err, &refused) {
		return located(refused, doc)
	}
	if err != nil {
		return err
	}
	done := doc.Summary(answer)
	return a.Show(done, func(w io.Writer) {
		for _, t := range done.Types {
			fmt.Fprintf(w, "type %s\t%s\t%s\n", t.Type, t.Result, strings.Join(slices.Concat(t.Created, t.Changed), " "))
		}
		fmt.Fprintf(w, "objects\t%d created, %d changed, %d unchanged\t\n", done.Created, done.Changed, done.Unchanged)
		if dry {
			fmt.Fprintln(w, "nothing was changed: this only checked")
		}
	})
}

// located tells a refusal in the places of a file.
func located(refused *client.Error, doc objectdoc.Document) error {
	var fields []objectdoc.Field
	for _, f := range refused.Fields {
		fields = append(fields, objectdoc.Field{Path: f.Path, Message: f.Message})
	}
	e := doc.Locate(fields)
	if e == nil {
		return refused
	}
	told := *refused
	told.Fields = nil
	for _, p := range e.Problems {
		at := p.Object
		if p.Attribute != "" {
			at += ": " + p.Attribute
		}
		told.Fields = append(told.Fields, client.ErrsField{Path: at, Message: p.Message, Line: int64(p.Line), Column: int64(p.Column)})
	}
	return &told
}
