package plugin

import "sextant/internal/kit/bus"

// Standing is the data of events on whether a plugin answers.
type Standing struct {
	State  string `json:"state" enum:"running,unreachable"`
	Reason string `json:"reason" doc:"Why it is unreachable; else empty"`
}

// Offered is the data of events on versions that are switched on or off.
type Offered struct {
	Version string `json:"version" doc:"The version that was switched"`
	Offered string `json:"offered" doc:"The version whose services are offered now; empty for none"`
}

// What is published of plugins.
var (
	lost = bus.Kind[Standing]{Type: "sextant.plugin.lost.v1", Subject: "plugin/{name}",
		Says: "A plugin does not answer any more.", Read: "plugin.read"}
	reached = bus.Kind[Standing]{Type: "sextant.plugin.reached.v1", Subject: "plugin/{name}",
		Says: "A plugin that did not answer does so again.", Read: "plugin.read"}
	enabled = bus.Kind[Offered]{Type: "sextant.plugin.enabled.v1", Subject: "plugin/{name}",
		Says: "A version of a plugin was switched on.", Read: "plugin.read"}
	disabled = bus.Kind[Offered]{Type: "sextant.plugin.disabled.v1", Subject: "plugin/{name}",
		Says: "A version of a plugin was switched off: its services are not offered any more.", Read: "plugin.read"}
)

// Events are the kinds of events on plugins.
func Events() []bus.Declared {
	return []bus.Declared{lost.Declared(), reached.Declared(), enabled.Declared(), disabled.Declared()}
}
