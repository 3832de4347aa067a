package plugin_test

import (
	"testing"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/domain/plugin"
	"sextant/internal/domain/setting"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

// A setting has its default until it is set, takes nothing beyond what the manifest
// declares, and is another one in each project.
func TestSettingsOfAPlugin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.db.Migrate(t.Context(), setting.Domain, setting.Migrations))
	values := setting.New(r.db, r.clock, r.box, audit.New(r.db, r.clock))
	values.Check = r.Registry.CheckSetting
	s := &plugin.Settings{Registry: r.Registry, Values: values}
	least, most := 1.0, 10.0
	m := manifest("x", "1.0.0")
	m.Settings = []wire.Setting{
		{Name: "tries", Type: wire.TypeInt, Default: "3", Min: &least, Max: &most, Title: wire.Text{"en": "Tries"},
			Description: wire.Text{"en": "How often it is tried."}},
		{Name: "colour", Type: wire.TypeEnum, Values: []string{"red", "blue"}}, {Name: "code", Type: wire.TypeString, Pattern: "[a-z]+"},
		{Name: "pause", Type: wire.TypeDuration, Default: "PT5S"}}
	r.must(r.Registry.Register(t.Context(), m))
	ctx := identity.With(t.Context(), identity.Subject{ID: "user/op", Name: "op", Kind: identity.User,
		Grants: []identity.Grant{{Permission: "setting.*", Project: "default"}}})
	for _, c := range []struct {
		name, value string
		ok          bool
	}{
		{"x.tries", "1", true}, {"x.tries", "10", true}, {"x.tries", "0", false}, {"x.tries", "11", false}, {"x.tries", "many", false},
		{"x.tries", "2.5", false}, {"x.colour", "blue", true}, {"x.colour", "green", false}, {"x.code", "abc", true}, {"x.code", "abc1", false},
		{"x.pause", "PT1M", true}, {"x.pause", "1m", false}, {"x.undeclared", "anything", true}, {"y.tries", "anything", true},
	} {
		_, err := values.SetValue(ctx, "default", c.name, c.value, nil)
		if c.ok && err != nil || !c.ok && !errs.HasCode(err, "plugin.setting") {
			t.Errorf("%s = %s: %v", c.name, c.value, err)
		}
	}
	all, err := s.List(ctx, "x", "default")
	r.must(err)
	if len(all) != 4 || all[0].Value != "10" || !all[0].Set || all[0].Version != 2 || all[0].Default != "3" || *all[0].Max != 10 ||
		all[0].Title["en"] != "Tries" || all[0].Description["en"] == "" || all[1].Value != "blue" || all[1].Values[0] != "red" ||
		all[2].Pattern != "[a-z]+" || all[3].Value != "PT1M" {
		t.Errorf("%+v", all)
	}
	r.must(values.DeleteValue(ctx, "default", "x.pause", nil))
	if all, err = s.List(ctx, "x", "default"); err != nil || all[3].Value != "PT5S" || all[3].Set || all[3].Version != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	_, err = s.List(ctx, "x", "other")
	refused(t, err, errs.Forbidden, "identity.forbidden")
	_, err = s.List(ctx, "y", "default")
	refused(t, err, errs.NotFound, "plugin.not_found")
}
