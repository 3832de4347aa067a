package source

import (
	"slices"
	"strings"

	"sextant/internal/domain/plugin"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// Setting is the value of a setting, named as in the manifest of its plugin or with
// the plugin before it: what was set, if it reads as the manifest declares, else the
// manifest's default.
func Setting(svc plugin.Service, name, text string, set bool) (string, bool, error) {
	short := strings.TrimPrefix(name, svc.Plugin+".")
	i := slices.IndexFunc(svc.Settings, func(s wire.Setting) bool { return s.Name == short })
	switch {
	case i < 0:
		return text, set, nil
	case !set:
		return svc.Settings[i].Default, svc.Settings[i].Default != "", nil
	case manifest.CheckSetting(svc.Settings[i], text) != "":
		return "", false, errs.New(errs.Invalid, "dispatch.setting", "the setting %s is %q, "+
			"which is not of the type %s that the plugin %s declares, or beyond its limits: set it anew",
			name, text, svc.Settings[i].Type, svc.Plugin)
	}
	return text, true, nil
}

// SettingName is the name under which a setting that a plugin declares is stored: with
// the plugin before it.
func SettingName(svc plugin.Service, name string) string {
	short := strings.TrimPrefix(name, svc.Plugin+".")
	if slices.ContainsFunc(svc.Settings, func(s wire.Setting) bool { return s.Name == short }) {
		return svc.Plugin + "." + short
	}
	return name
}
