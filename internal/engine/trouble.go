package engine

import "sextant/internal/engine/state"

func (s *stepper) incident(el *state.Element, kind, message string) {
	el.Incident = &state.Incident{Key: s.env.NextKey(), Kind: kind, Message: message, Since: s.env.Now}
	s.run.Touch(el)
	s.fact(Fact{Kind: FactIncident, Node: el.Node, Key: el.Incident.Key, Text: message, Data: s.offset(el.Key)})
	s.effect(Effect{Kind: IncidentRaised, Key: el.Incident.Key, Element: el.Key, Node: el.Node, Incident: *el.Incident})
}

func (s *stepper) dropIncident(el *state.Element) {
	if el.Incident == nil {
		return
	}
	s.effect(Effect{Kind: IncidentGone, Key: el.Incident.Key, Element: el.Key, Node: el.Node})
	el.Incident = nil
	s.run.Touch(el)
}

func (s *stepper) holder(incident state.Key) *state.Element {
	for _, el := range s.run.Elements {
		if el.Incident != nil && el.Incident.Key == incident {
			return el
		}
	}
	return nil
}
