package plugin

import (
	"net/http"

	"sextant/sdk/go/wire"
)

func (s *server) entities(w http.ResponseWriter, r *http.Request) {
	typ := r.PathValue("type")
	store := s.p.stores[typ]
	if store == nil {
		store = s.p.stores["*"]
	}
	if store == nil {
		writeJSON(w, http.StatusNotFound, wire.Envelope[any]{Status: wire.StatusError, Message: "there is no object type " + typ})
		return
	}
	var out any
	var err error
	if counter, ok := store.(Counter); ok && r.PathValue("op") == "count" {
		out, err = count(r, counter, typ)
	} else {
		out, err = operate(r, store, typ, byOf(r))
	}
	s.marked(w)
	if err != nil {
		entityError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func count(r *http.Request, c Counter, typ string) (*wire.Envelope[[]wire.Tally], error) {
	var by wire.Counting
	if err := readBody(r, &by); err != nil {
		return nil, err
	}
	tallies, err := c.Count(r.Context(), typ, by)
	if tallies == nil {
		tallies = []wire.Tally{}
	}
	return &wire.Envelope[[]wire.Tally]{Status: wire.StatusOK, Data: tallies}, err
}

func operate(r *http.Request, store Store, typ string, by By) (*wire.Envelope[[]wire.Row], error) {
	out := &wire.Envelope[[]wire.Row]{Status: wire.StatusOK, Data: []wire.Row{}}
	var err error
	switch op := r.PathValue("op"); op {
	case "query":
		var q wire.Query
		if err = readBody(r, &q); err == nil {
			out.Data, out.Next, err = store.Query(r.Context(), typ, q)
		}
	case wire.OpCreate, wire.OpUpdate:
		var rows []wire.Row
		if err = readBody(r, &rows); err != nil {
			break
		}
		if op == wire.OpCreate {
			out.Data, err = store.Create(r.Context(), typ, rows, by)
		} else {
			out.Data, err = store.Update(r.Context(), typ, rows, by)
		}
	case wire.OpDelete:
		var rows []struct {
			ID string `json:"id"`
		}
		if err = readBody(r, &rows); err != nil {
			break
		}
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		err = store.Delete(r.Context(), typ, ids, by)
	default:
		err = Fail("entity.operation", "the operation "+op+" is none of query, create, update and delete")
	}
	if out.Data == nil {
		out.Data = []wire.Row{}
	}
	return out, err
}
