package builtin

import "sextant/internal/lang/feel/value"

// set holds values that differ. Numbers, strings and booleans are found by
// hashing, all others by comparing them one by one.
type set struct {
	plain map[any]bool
	other []value.Value
}

// add puts a value into the set; added is false if an equal one is there, ok is
// false if the evaluation is over.
func (s *set) add(c *Call, v value.Value) (added, ok bool) {
	if !c.Step() {
		return false, false
	}
	if key := hashed(v); key != nil {
		if s.plain[key] {
			return false, true
		}
		if s.plain == nil {
			s.plain = map[any]bool{}
		}
		s.plain[key] = true
		return true, true
	}
	if !c.Spend(int64(len(s.other)) / 4) {
		return false, false
	}
	if indexOf(s.other, v) >= 0 {
		return false, true
	}
	s.other = append(s.other, v)
	return true, true
}

// take removes a value from the set; was is false if it is not there, ok is false
// if the evaluation is over.
func (s *set) take(c *Call, v value.Value) (was, ok bool) {
	if !c.Step() {
		return false, false
	}
	if key := hashed(v); key != nil {
		was = s.plain[key]
		delete(s.plain, key)
		return was, true
	}
	if !c.Spend(int64(len(s.other)) / 4) {
		return false, false
	}
	i := indexOf(s.other, v)
	if i >= 0 {
		s.other = append(s.other[:i], s.other[i+1:]...)
	}
	return i >= 0, true
}

type (
	numberKey string
	nullKey   struct{}
)

// hashed is what equal plain values share; nil for the others.
func hashed(v value.Value) any {
	switch v.Kind() {
	case value.KindNull:
		return nullKey{}
	case value.KindBool:
		b, _ := value.AsBool(v)
		return b
	case value.KindNumber:
		return numberKey(v.String())
	case value.KindString:
		s, _ := value.AsString(v)
		return s
	}
	return nil
}
