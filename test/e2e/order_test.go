package e2e_test

import (
	"slices"
	"testing"

	"sextant/sdk/go/client"
)

// What waits is listed by time, the newest first, over the pages too.
func TestWhatWaitsIsListedNewestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.x.fail = true
	var want []string
	for _, host := range []string{"dev-1", "dev-2", "prod-1"} {
		run, err := w.call(w.Client, "odd/touch/change", nil, "host:host/"+host)
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{w.stopped(run).Key}, want...)
	}
	var got []string
	for after := ""; ; {
		var page client.PageOfProcessIncident
		w.Must("GET", "/api/v1/incidents?limit=2&after="+after, nil, &page)
		for _, i := range page.Items {
			got = append(got, i.Key)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed are %v, want %v", got, want)
	}
}
