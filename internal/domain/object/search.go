package object

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	foundPerType = 5
	foundAtMost  = 20
	askAtOnce    = 4 // plugins that are asked at the same time
)

// Hit is an object that a search found.
type Hit struct {
	Object string `json:"object" doc:"package:type/id"`
	Name   string `json:"name"`
}

// Search finds objects of every type whose name holds a text, some of each type.
// A plugin that does not answer is left out.
func (s *Service) Search(ctx context.Context, project, text string) ([]Hit, error) {
	if err := identity.Require(ctx, "object.read", project); err != nil {
		return nil, err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errs.New(errs.Invalid, "object.search", "give a text to search for").At(errs.Field{Path: "text", Message: "empty"})
	}
	all, err := s.allTypes(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, askAtOnce)
	hits := []Hit{}
	for _, t := range all.Items {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			found := s.searchType(ctx, project, t, text)
			mu.Lock()
			defer mu.Unlock()
			hits = append(hits, found...)
		})
	}
	wg.Wait()
	lower := strings.ToLower(text)
	begins := func(h Hit) bool { return strings.HasPrefix(strings.ToLower(h.Name), lower) }
	slices.SortFunc(hits, func(a, b Hit) int {
		if x, y := begins(a), begins(b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Object, b.Object))
	})
	return hits[:min(len(hits), foundAtMost)], ctx.Err()
}

func (s *Service) searchType(ctx context.Context, project string, t TypeInfo, text string) []Hit {
	attr := cmp.Or(t.Display, wire.AttrID)
	ref := t.Plugin + ":" + t.Type
	rows, _, err := s.Query(ctx, ref, Scope{Project: project}, wire.Query{Fields: []string{wire.AttrID, attr}, Limit: foundPerType,
		AdditionalFilters: []wire.Filter{{Attr: attr, Op: wire.OpLike, Condition: wire.Raw(text)}}})
	if err != nil {
		return nil
	}
	var hits []Hit
	for _, row := range rows {
		id := unquote(row[wire.AttrID])
		name := cmp.Or(unquote(row[wire.AttrDisplayName]), unquote(row[attr]), id)
		hits = append(hits, Hit{Object: ref + "/" + id, Name: name})
	}
	return hits
}
