package table

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"sextant/sdk/go/client"
)

// newsEvery is how often a call that goes on is asked how far its rows are.
const newsEvery = time.Second

// News tells people what the rows of a run wait for, until quiet is called.
func News(ctx context.Context, api *client.Client, run string, w io.Writer) (quiet func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		tick := time.NewTicker(newsEvery)
		defer tick.Stop()
		said := map[string]string{}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			var jobs client.PageOfDispatchJobState
			if api.Call(ctx, "GET", "/api/v1/runs/"+run+"/jobs", nil, &jobs) != nil {
				continue // who watches the run is told
			}
			for _, j := range jobs.Items {
				for _, object := range slices.Sorted(maps.Keys(j.Progress)) {
					if text := j.Progress[object].Message; text != "" && said[object] != text {
						said[object] = text
						fmt.Fprintf(w, "%s: %s\n", object, text)
					}
				}
			}
		}
	}()
	return func() { cancel(); <-over }
}
