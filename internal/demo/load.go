package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"sextant/examples/apps/guestbook"
	"sextant/examples/processes"
	"sextant/internal/demo/stage"
	"sextant/internal/demo/world"
	"sextant/sdk/go/client"
	"sextant/sdk/go/objectdoc"
)

// Load brings the objects of a stage, its credentials and the example processes
// into a platform. It can be done again.
func Load(ctx context.Context, c *client.Client, st *stage.Stage) (objects, files int, err error) {
	if err := define(ctx, c); err != nil {
		return 0, 0, err
	}
	for _, set := range world.Objects(st) {
		for _, row := range set.Rows {
			if err := put(ctx, c, set.Type, row); err != nil {
				return 0, 0, fmt.Errorf("%s/%v: %w", set.Type, row["id"], err)
			}
			objects++
		}
	}
	in := client.SettingInput{Type: "ssh", Secrets: map[string]string{"private_key": st.PrivateKey}}
	if err := c.Call(ctx, "PUT", "/api/v1/connections/demo", in, nil); err != nil {
		return 0, 0, err
	}
	all, err := processes.Files.ReadDir(".")
	if err != nil {
		return 0, 0, err
	}
	for _, f := range all {
		xml, err := processes.Files.ReadFile(f.Name())
		if err != nil {
			return 0, 0, err
		}
		if err := c.Upload(ctx, "/api/v1/processes", "application/xml", bytes.NewReader(xml), nil); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return objects, len(all), nil
}

// define makes the object types.
func define(ctx context.Context, c *client.Client) error {
	text, err := json.Marshal(map[string]any{"types": world.Types()})
	if err != nil {
		return err
	}
	doc, err := objectdoc.Parse(text)
	if err != nil {
		return fmt.Errorf("the object types cannot be read: %w", err)
	}
	return c.Call(ctx, "POST", objectdoc.Path, doc.Body("cmdb", false), nil)
}

// put creates an object, or changes the one that is there.
func put(ctx context.Context, c *client.Client, typ string, row map[string]any) error {
	rows := []map[string]any{row}
	err := c.Call(ctx, "GET", fmt.Sprintf("/api/v1/objects/%s/%s", typ, row["id"]), nil, nil)
	var refused *client.Error
	switch {
	case err == nil:
		return c.Call(ctx, "PATCH", "/api/v1/objects/"+typ, rows, nil)
	case errors.As(err, &refused) && refused.Status == 404:
		return c.Call(ctx, "POST", "/api/v1/objects/"+typ, rows, nil)
	}
	return err
}

// Start uploads a version of the application and asks for a run of a process
// that brings it to the unit. It gives the run's key.
func Start(ctx context.Context, c *client.Client, process, version string) (string, error) {
	data, sum, err := guestbook.Package(version)
	if err != nil {
		return "", err
	}
	if err := c.Upload(ctx, "/api/v1/blobs", "application/gzip", bytes.NewReader(data), nil); err != nil {
		return "", err
	}
	body := map[string]any{"process": process, "objects": []string{unit}, "title": fmt.Sprintf("%s guestbook %s", process, version),
		"variables": map[string]any{"version": version, "package": map[string]any{"sha256": sum}, "credential": "connection/demo"}}
	var v client.ControlVerdict
	err = c.Call(ctx, "POST", "/api/v1/runs", body, &v)
	return v.Run, err
}

// Trouble tells what a run waits for.
func Trouble(ctx context.Context, c *client.Client, run string) string {
	var page client.PageOfProcessIncident
	if err := c.Call(ctx, "GET", client.Query("/api/v1/incidents", "run", run), nil, &page); err != nil {
		return err.Error()
	}
	text := ""
	for _, i := range page.Items {
		text += fmt.Sprintf("\n  %s: %s", i.Element, i.Message)
	}
	return text
}
