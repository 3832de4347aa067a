package plugin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"sextant/sdk/go/wire"
)

const (
	maxSet     = 64 << 20 // bytes of a set of changes
	maxEntries = 500      // of the outbox in one answer
)

// byOf tells on whose behalf a request changes rows.
func byOf(r *http.Request) By {
	return By{Operator: r.Header.Get(wire.HeaderOperator), Run: r.Header.Get(wire.HeaderRun),
		Change: r.Header.Get(wire.HeaderChange), Model: r.Header.Get(wire.HeaderModel)}
}

// marked puts the mark of the types that hold into an answer. Whoever asked under
// another one knows by it that the answer is not to be believed.
func (s *server) marked(w http.ResponseWriter) {
	if s.p.mark != nil {
		w.Header().Set(wire.HeaderModel, s.p.mark())
	}
}

// types reads the types of the plugin and the mark that goes with them.
func (s *server) types(ctx context.Context) (types []wire.ObjectType, mark string, err error) {
	types = s.p.manifest.Objects
	if s.p.model == nil {
		return types, "", nil
	}
	for {
		if s.p.mark != nil {
			mark = s.p.mark()
		}
		more, err := s.p.model(ctx)
		if err != nil {
			return nil, "", err
		}
		if s.p.mark == nil || s.p.mark() == mark {
			return append(types[:len(types):len(types)], more...), mark, nil
		}
	}
}

func (s *server) dataModel(w http.ResponseWriter, r *http.Request) {
	types, mark, err := s.types(r.Context())
	if err != nil {
		entityError(w, err)
		return
	}
	if mark != "" {
		w.Header().Set(wire.HeaderModel, mark)
		if r.Header.Get(wire.HeaderModel) == mark {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if types == nil {
		types = []wire.ObjectType{}
	}
	writeJSON(w, http.StatusOK, wire.Envelope[[]wire.ObjectType]{Status: wire.StatusOK, Data: types})
}

// changes makes a set of changes.
func (s *server) changes(w http.ResponseWriter, r *http.Request) {
	var set wire.ChangeSet
	if err := readBody(r, &set); err != nil {
		entityError(w, err)
		return
	}
	out, err := s.p.changer.Change(r.Context(), set, byOf(r))
	s.marked(w)
	if err != nil {
		entityError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, wire.Envelope[wire.Changed]{Status: wire.StatusOK, Data: out})
}

// entries reads the outbox.
func (s *server) entries(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(cmp.Or(r.URL.Query().Get("after"), "0"), 10, 64)
	if err != nil {
		entityError(w, Fail("outbox.after", "after is the number of an entry"))
		return
	}
	limit, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), strconv.Itoa(maxEntries)))
	if err != nil || limit < 0 {
		entityError(w, Fail("outbox.limit", "limit is a number of entries"))
		return
	}
	found, last, err := s.p.changer.Entries(r.Context(), after, min(limit, maxEntries))
	if err != nil {
		entityError(w, err)
		return
	}
	if found == nil {
		found = []wire.Entry{}
	}
	writeJSON(w, http.StatusOK, wire.Envelope[[]wire.Entry]{Status: wire.StatusOK, Data: found, Next: strconv.FormatInt(last, 10)})
}

// readBody reads a JSON body whose numbers keep their text.
func readBody(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.UseNumber()
	err := d.Decode(v)
	var large *http.MaxBytesError
	if err == nil || errors.As(err, &large) {
		return err
	}
	return Fail("body.malformed", "the body is not what is wanted: "+err.Error())
}

// SetFaults tells what is wrong with the changes of a set, or of the rows of a
// call by their place in it.
type SetFaults interface {
	error
	Faults() []wire.Fault
}

func entityError(w http.ResponseWriter, err error) {
	out := wire.Envelope[any]{Status: wire.StatusError, Message: err.Error()}
	status := http.StatusInternalServerError
	var fields FieldErrors
	if errors.As(err, &fields) {
		out.Fields, status = fields.Fields(), http.StatusUnprocessableEntity
	}
	var faults SetFaults
	if errors.As(err, &faults) {
		out.Faults, status = faults.Faults(), http.StatusUnprocessableEntity
		if slices.ContainsFunc(out.Faults, func(f wire.Fault) bool { return f.Code == wire.CodeStale }) {
			out.Code, status = wire.CodeStale, http.StatusPreconditionFailed
		}
	}
	var e *Error
	var large *http.MaxBytesError
	switch {
	case status != http.StatusInternalServerError:
	case errors.As(err, &large):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrModel):
		out.Code, status = wire.CodeModel, http.StatusConflict
	case errors.As(err, &e):
		status = http.StatusUnprocessableEntity
	}
	writeJSON(w, status, out)
}
