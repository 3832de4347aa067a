package manifest

import (
	"fmt"

	"sextant/sdk/go/wire"
)

// CodeNotYet marks what a manifest may say and the platform does not do.
const CodeNotYet = "manifest.not_yet"

// NotYet tells what a valid manifest asks for that the platform does not do yet.
// A plugin that was connected from elsewhere was started by somebody else, who
// gave it whatever it has. Whoever makes one of these true takes it out here.
func NotYet(m *wire.Manifest, elsewhere bool) []Problem {
	c := checker{m: m}
	no := func(path, why string) { c.add(path, CodeNotYet, "not yet: %s", why) }
	for i := range m.Menus {
		no(fmt.Sprintf("menus[%d]", i), "the console's menu takes no entries of plugins")
	}
	for i, s := range m.Settings {
		path := fmt.Sprintf("settings[%d]", i)
		if s.Secret {
			no(path+".secret", "settings are not sealed; take the secret as an input of type connection")
		}
		if s.Scope != "" && s.Scope != "project" {
			no(path+".scope", "a setting is set for each project")
		}
	}
	for i := range m.Permissions {
		no(fmt.Sprintf("permissions[%d]", i), "a plugin acts with the rights of the run that it works for, and gets none of its own")
	}
	if r := m.Run; r != nil && r.Binary != "" {
		no("run.binary", "packages are not started; start the program and connect its address")
	}
	if r := m.Run; r != nil && r.Image != "" {
		no("run.image", "images are not started; start the container and connect its address")
	}
	if m.UI != nil {
		for i := range m.UI.Pages {
			no(fmt.Sprintf("ui.pages[%d]", i), "the console shows cards of plugins and no pages")
		}
	}
	for i, s := range m.Services {
		for k, a := range s.Actions {
			c.unheeded(fmt.Sprintf("services[%d].actions[%d]", i, k), a, no)
		}
	}
	c.resources(elsewhere, no)
	return shown(c.problems)
}

func (c *checker) unheeded(path string, a wire.Action, no func(path, why string)) {
	const risk = "risk is that of the whole action; give the action the higher one"
	for i, p := range a.Input {
		if p.Risk != "" {
			no(fmt.Sprintf("%s.input[%d].risk", path, i), risk)
		}
	}
	for i, p := range a.Output {
		if p.Risk != "" {
			no(fmt.Sprintf("%s.output[%d].risk", path, i), risk)
		}
		if p.Default != "" {
			no(fmt.Sprintf("%s.output[%d].default", path, i), "an output that is not given has no value")
		}
		if p.Required {
			no(fmt.Sprintf("%s.output[%d].required", path, i),
				"a row that leaves an output out is ok all the same; end it as failed where it may not")
		}
		if p.Multiple {
			no(fmt.Sprintf("%s.output[%d].multiple", path, i), "an output is one value; give it the type list")
		}
	}
}

func (c *checker) resources(elsewhere bool, no func(path, why string)) {
	r := c.m.Resources
	if r == nil {
		return
	}
	if r.Database && elsewhere {
		no("resources.database", "a plugin that runs elsewhere brings its own database")
	}
	if r.Bucket {
		no("resources.bucket", "there are no buckets; the data folder keeps files")
	}
	if r.Memory != "" {
		no("resources.memory", "the memory of plugins is not limited")
	}
	if r.CPU != 0 {
		no("resources.cpu", "the processors of plugins are not limited")
	}
}
