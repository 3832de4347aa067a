package plugin

import (
	"encoding/json"
	"errors"
	"net/http"

	"sextant/sdk/go/wire"
)

func (s *server) dataModel(w http.ResponseWriter, r *http.Request) {
	types := s.p.manifest.Objects
	if s.p.model != nil {
		more, err := s.p.model(r.Context())
		if err != nil {
			entityError(w, err)
			return
		}
		types = append(types[:len(types):len(types)], more...)
	}
	if types == nil {
		types = []wire.ObjectType{}
	}
	writeJSON(w, http.StatusOK, wire.Envelope[[]wire.ObjectType]{Status: wire.StatusOK, Data: types})
}

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
	by := By{Operator: r.Header.Get(wire.HeaderOperator), Run: r.Header.Get(wire.HeaderRun)}
	out, err := operate(r, store, typ, by)
	if err != nil {
		entityError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func operate(r *http.Request, store Store, typ string, by By) (*wire.Envelope[[]wire.Row], error) {
	out := &wire.Envelope[[]wire.Row]{Status: wire.StatusOK, Data: []wire.Row{}}
	read := func(v any) error {
		d := json.NewDecoder(r.Body)
		d.UseNumber()
		err := d.Decode(v)
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return err
		}
		if err != nil {
			return Fail("body.malformed", "the body is not what is wanted: "+err.Error())
		}
		return nil
	}
	var err error
	switch op := r.PathValue("op"); op {
	case "query":
		var q wire.Query
		if err = read(&q); err == nil {
			out.Data, out.Next, err = store.Query(r.Context(), typ, q)
		}
	case "create", "update":
		var rows []wire.Row
		if err = read(&rows); err != nil {
			break
		}
		if op == "create" {
			out.Data, err = store.Create(r.Context(), typ, rows, by)
		} else {
			out.Data, err = store.Update(r.Context(), typ, rows, by)
		}
	case "delete":
		var rows []struct {
			ID string `json:"id"`
		}
		if err = read(&rows); err != nil {
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

func entityError(w http.ResponseWriter, err error) {
	out := wire.Envelope[any]{Status: wire.StatusError, Message: err.Error()}
	var fields FieldErrors
	status := http.StatusInternalServerError
	var e *Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
	case errors.As(err, &fields):
		out.Fields, status = fields.Fields(), http.StatusUnprocessableEntity
	case errors.As(err, &e):
		status = http.StatusUnprocessableEntity
	}
	writeJSON(w, status, out)
}
