package plugin

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"sextant/internal/domain/identity"
	"sextant/internal/domain/setting"
	"sextant/internal/kit/api"
	"sextant/internal/kit/errs"
	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// Setting is a value that an operator may set for a plugin in a project.
type Setting struct {
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	Title       wire.Text `json:"title,omitempty"`
	Description wire.Text `json:"description,omitempty"`
	Values      []string  `json:"values,omitempty" doc:"Those of an enum"`
	Min         *float64  `json:"min,omitempty"`
	Max         *float64  `json:"max,omitempty"`
	Pattern     string    `json:"pattern,omitempty" doc:"What the whole value matches, in the syntax of RE2"`
	Default     string    `json:"default,omitempty"`
	Value       string    `json:"value" doc:"What holds: the value that was set, else the default"`
	Set         bool      `json:"set" doc:"Whether somebody has set it"`
	Version     int64     `json:"version" doc:"Of the value that was set; 0 for none"`
}

// Settings are the values of plugins. A value that is set counts from the next call
// of the plugin on that takes it.
type Settings struct {
	Registry *Registry
	Values   *setting.Service
}

// CheckSetting refuses a value that the plugin which declares a setting does not take.
// Names that no plugin declares are anybody's.
func (r *Registry) CheckSetting(name, value string) error {
	owner, short, _ := strings.Cut(name, ".")
	m, ok := r.Manifest(owner)
	if !ok {
		return nil
	}
	i := slices.IndexFunc(m.Settings, func(s wire.Setting) bool { return s.Name == short })
	if i < 0 {
		return nil
	}
	if why := manifest.CheckSetting(m.Settings[i], value); why != "" {
		return errs.New(errs.Invalid, "plugin.setting", "the setting %s of the plugin %s cannot be that: %s", short, owner, why).
			At(errs.Field{Path: "value", Code: "plugin.setting", Message: why})
	}
	return nil
}

// List gives the settings that a plugin declares, with what holds in a project.
func (s *Settings) List(ctx context.Context, name, project string) ([]Setting, error) {
	if err := identity.Require(ctx, "setting.read", project); err != nil {
		return nil, err
	}
	m, ok := s.Registry.Manifest(name)
	if !ok {
		return nil, errs.New(errs.NotFound, "plugin.not_found", "there is no plugin %q", name)
	}
	all := []Setting{}
	for _, d := range m.Settings {
		v, err := s.Values.Stored(ctx, project, name+"."+d.Name)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return nil, err
		}
		one := Setting{d.Name, d.Type, d.Title, d.Description, d.Values, d.Min, d.Max, d.Pattern, d.Default, v.Value, err == nil, v.Version}
		if !one.Set {
			one.Value = d.Default
		}
		all = append(all, one)
	}
	return all, nil
}

// one finds a setting among those of its plugin.
func (s *Settings) one(ctx context.Context, plugin, project, name string) (Setting, error) {
	all, err := s.List(ctx, plugin, project)
	i := slices.IndexFunc(all, func(one Setting) bool { return one.Name == name })
	if err == nil && i < 0 {
		err = errs.New(errs.NotFound, "plugin.no_setting", "the plugin %s declares no setting %q", plugin, name)
	}
	if err != nil {
		return Setting{}, err
	}
	return all[i], nil
}

// Routes adds the endpoints.
func (s *Settings) Routes(a *api.API) {
	type Named struct {
		Name    string `path:"name" maxLength:"64" pattern:"^[a-z0-9][a-z0-9_-]*$"`
		Project string `query:"project" default:"default" maxLength:"64"`
	}
	type SettingKey struct {
		Named
		Setting string `path:"setting" maxLength:"128"`
		IfMatch string `header:"If-Match" doc:"Version that is to be replaced, in quotes, \"0\" for none; without it any is"`
	}
	type givenSettingIn struct {
		SettingKey
		Body struct {
			Value string `json:"value" maxLength:"4096"`
		}
	}
	type listOut struct{ Body api.Page[Setting] }
	type out struct{ Body Setting }
	const path, tag = "/api/v1/plugins/{name}/settings", "plugins"
	api.Register(a, api.Endpoint{ID: "listPluginSettings", Method: http.MethodGet, Path: path, Tag: tag,
		Summary: "The settings of a plugin, with what holds in a project", Permission: "setting.read"},
		func(ctx context.Context, in *Named) (*listOut, error) {
			all, err := s.List(ctx, in.Name, in.Project)
			return &listOut{api.Page[Setting]{Items: all}}, err
		})
	api.Register(a, api.Endpoint{ID: "putPluginSetting", Method: http.MethodPut, Path: path + "/{setting}", Tag: tag,
		Summary: "Set a setting of a plugin in a project", Permission: "setting.write"},
		func(ctx context.Context, in *givenSettingIn) (*out, error) {
			if _, err := s.one(ctx, in.Name, in.Project, in.Setting); err != nil {
				return nil, err
			}
			expect, err := setting.Expected(in.IfMatch)
			if err == nil {
				_, err = s.Values.SetValue(ctx, in.Project, in.Name+"."+in.Setting, in.Body.Value, expect)
			}
			if err != nil {
				return nil, err
			}
			one, err := s.one(ctx, in.Name, in.Project, in.Setting)
			return &out{one}, err
		})
	api.Register(a, api.Endpoint{ID: "resetPluginSetting", Method: http.MethodDelete, Path: path + "/{setting}", Tag: tag,
		Summary: "Let a setting of a plugin have its default again", Permission: "setting.write", Status: http.StatusNoContent},
		func(ctx context.Context, in *SettingKey) (*struct{}, error) {
			expect, err := setting.Expected(in.IfMatch)
			if err == nil {
				err = s.Values.DeleteValue(ctx, in.Project, in.Name+"."+in.Setting, expect)
			}
			return nil, err
		})
}
