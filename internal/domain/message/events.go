package message

import "sextant/internal/kit/bus"

// Published is the data of the events that a message or signal came.
type Published struct {
	Name string `json:"name"`
	// Key is the correlation key, Message or Signal that of the publication.
	Key       string   `json:"key,omitempty" doc:"The key that a run has to wait with"`
	Message   string   `json:"message,omitempty" doc:"Key of the message"`
	Signal    string   `json:"signal,omitempty" doc:"Key of the signal"`
	Variables []string `json:"variables" doc:"Names of what it carries"`
}

var (
	messagePublished = bus.Kind[Published]{
		Type: "sextant.message.published.v1", Subject: "message/{name}", Says: "A message was published.", Read: "message.write"}
	signalPublished = bus.Kind[Published]{
		Type: "sextant.signal.published.v1", Subject: "signal/{name}", Says: "A signal was broadcast.", Read: "message.write"}
)

// Events are the kinds of events on messages and signals.
func Events() []bus.Declared {
	return []bus.Declared{messagePublished.Declared(), signalPublished.Declared()}
}
