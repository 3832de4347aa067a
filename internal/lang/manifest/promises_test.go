package manifest_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sextant/internal/lang/manifest"
	"sextant/sdk/go/wire"
)

// Where what is named below is proved.
const (
	names    = "internal/lang/manifest TestProblems"
	notYet   = "internal/lang/manifest TestWhatIsNotDoneYetIsRefused"
	listed   = "internal/domain/plugin TestAPluginIsListedWithAllThatItSays"
	requires = "internal/domain/plugin TestWhatAPluginRequiresIsThere"
	resolved = "internal/domain/plugin TestNamesOfServices"
	cards    = "internal/domain/plugin TestFilesOfAFrontEnd"
	types    = "internal/domain/object TestDefinitionsAreThereAtOnce"
	scoped   = "internal/domain/object TestQueriesStayInTheirProject"
	inEnv    = "internal/domain/object TestRightsInAnEnvironment"
	found    = "internal/domain/object TestSearch"
	writable = "internal/domain/object TestTypesSayWhatCanBeWritten"
	defined  = "internal/domain/object TestDefinitionsAreARightOfTheirOwn"
	hidden   = "internal/domain/object TestSecretsAreHidden"
	checked  = "internal/domain/object TestASetIsCheckedLikeAnyChange"
	graph    = "internal/domain/object TestGraph"
	outbox   = "internal/domain/object TestTheHistoryHasWhatThePluginWritesItself"
	forms    = "sdk/go/objectstore TestEveryTypeHasOneForm"
	unique   = "sdk/go/objectstore TestUniqueness"
	pages    = "sdk/go/objectstore TestLimits"
	called   = "test/e2e TestAValueArrivesWhole"
	given    = "test/e2e TestInputsHaveTheirDefaultsAndTypes"
	retried  = "test/e2e TestTransportFailuresAreTriedAgain"
	slow     = "test/e2e TestServicesThatMisbehave"
	once     = "test/e2e TestACallThatIsNotIdempotentIsSentOnce"
	later    = "test/e2e TestCallBack"
	ended    = "test/e2e TestCancelReachesThePlugin"
	locked   = "test/e2e TestTwoRunsThatMeetOnOneHost"
	previews = "test/e2e TestACallIsPreviewed"
	unseen   = "test/e2e TestNoSecretSurfacesAnywhere"
	wanted   = "test/e2e TestWhatAStartShouldGive"
	written  = "test/e2e TestOutputsAreWrittenInTheTypeOfTheAttribute"
	kept     = "plugins/cmdb TestWithoutADatabase"
	known    = "test/e2e TestWhatCannotBeIsRefusedAtTheDoor"
	streamed = "test/stream TestWhoAsksAndWhatMayPass"
	settable = "internal/domain/plugin TestSettingsOfAPlugin"
	bounded  = "test/stream TestLimitsOfARoute"
)

// promises says of every field of a manifest which test proves what it does, or
// that it is refused. Titles and descriptions are promises too: they are shown.
var promises = map[string]string{
	"plugin": resolved, "version": "internal/domain/plugin TestTheNewestEnabledVersion", "title": listed, "description": listed,
	"requires[].plugin": requires, "requires[].version": requires,
	"menus[].id": notYet, "menus[].dimension": notYet, "menus[].title": notYet, "menus[].path": notYet,
	"settings[].name": given, "settings[].type": "test/e2e TestASettingIsReadAsWhatThePluginDeclares",
	"settings[].title": settable, "settings[].description": settable, "settings[].values[]": settable, "settings[].min": settable,
	"settings[].max": settable, "settings[].pattern": settable,
	"settings[].default": given, "settings[].secret": notYet, "settings[].scope": notYet,
	"dynamicObjects": types, "changes": outbox, "permissions[]": notYet,

	"objects[].type": types, "objects[].title": listed, "objects[].description": listed,
	"objects[].scope.project": scoped, "objects[].scope.environment": inEnv,
	"objects[].paging": pages, "objects[].display": found, "objects[].readOnly": writable, "objects[].definition": defined,
	"objects[].attributes[].name": checked, "objects[].attributes[].type": forms,
	"objects[].attributes[].title": listed, "objects[].attributes[].required": checked,
	"objects[].attributes[].unique": unique, "objects[].attributes[].values[]": forms, "objects[].attributes[].to": graph,
	"objects[].attributes[].observed": written, "objects[].attributes[].secret": hidden,
	"objects[].attributes[].pattern": forms, "objects[].attributes[].description": forms, "objects[].attributes[].default": forms,

	"services[].name": resolved, "services[].title": listed,
	"services[].actions[].action": resolved, "services[].actions[].title": listed,
	"services[].actions[].description": listed, "services[].actions[].path": called,
	"services[].actions[].method": "test/e2e TestAnActionIsCalledByItsMethod", "services[].actions[].target": previews,
	"services[].actions[].batch": "test/e2e TestAutomaticRetriesKeepToTheRowsThatFailed", "services[].actions[].timeout": slow,
	"services[].actions[].retry.max": retried, "services[].actions[].retry.backoff": retried,
	"services[].actions[].retry.on[]": "test/e2e TestWhatIsNotListedIsNotTriedAgain",
	"services[].actions[].risk":       previews, "services[].actions[].idempotent": once, "services[].actions[].async": later,
	"services[].actions[].cancel": ended, "services[].actions[].settles": "test/e2e TestACancelledRunHoldsItsObjectsUntilEverythingHasEnded",
	"services[].actions[].locks[].mode": locked, "services[].actions[].locks[].on": locked, "services[].actions[].effects[]": listed,
	"services[].actions[].oneOf[][]": known, "services[].actions[].input[].pattern": known, "services[].actions[].input[].fields[]": known,
	"services[].actions[].output[].pattern": names, "services[].actions[].output[].fields[]": names,

	"services[].actions[].input[].name": called, "services[].actions[].input[].type": given,
	"services[].actions[].input[].title": listed, "services[].actions[].input[].description": listed,
	"services[].actions[].input[].required": "test/e2e TestAStartLacksNothing",
	"services[].actions[].input[].secret":   unseen, "services[].actions[].input[].multiple": "test/e2e TestAnInputThatTakesManyValues",
	"services[].actions[].input[].risk": notYet, "services[].actions[].input[].values[]": wanted,
	"services[].actions[].input[].default": given,
	"services[].actions[].input[].from":    given, "services[].actions[].input[].expr": given, "services[].actions[].input[].to": names,

	"services[].actions[].output[].name": written, "services[].actions[].output[].type": written,
	"services[].actions[].output[].title": listed, "services[].actions[].output[].description": listed,
	"services[].actions[].output[].required": notYet, "services[].actions[].output[].secret": unseen,
	"services[].actions[].output[].multiple": notYet, "services[].actions[].output[].risk": notYet,
	"services[].actions[].output[].values[]": listed, "services[].actions[].output[].default": notYet,
	"services[].actions[].output[].from": names, "services[].actions[].output[].expr": names, "services[].actions[].output[].to": written,

	"routes[].path": streamed, "routes[].methods[]": streamed, "routes[].request": bounded, "routes[].answer": bounded,
	"routes[].timeout": bounded, "routes[].connections": bounded,

	"run.binary": notYet, "run.image": notYet, "run.builtin": listed,
	"resources.database": kept, "resources.bucket": notYet, "resources.memory": notYet, "resources.cpu": notYet,
	"ui.entry": cards, "ui.cards[].on": cards, "ui.cards[].export": cards, "ui.pages[].path": notYet, "ui.pages[].export": notYet,
}

// leaves calls f with the path of everything that a manifest may say.
func leaves(typ reflect.Type, path string, f func(string)) {
	switch {
	case typ == reflect.TypeFor[wire.Text]():
		f(path)
	case typ.Kind() == reflect.Pointer:
		leaves(typ.Elem(), path, f)
	case typ.Kind() == reflect.Slice:
		leaves(typ.Elem(), path+"[]", f)
	case typ.Kind() == reflect.Struct:
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			leaves(typ.Field(i).Type, strings.TrimPrefix(path+"."+name, "."), f)
		}
	default:
		f(path)
	}
}

func TestEveryFieldOfAManifestIsDoneOrRefused(t *testing.T) {
	t.Parallel()
	open := maps.Clone(promises)
	leaves(reflect.TypeFor[wire.Manifest](), "", func(path string) {
		if promises[path] == "" {
			t.Errorf("%s: say which test proves what it does, or refuse it", path)
		}
		delete(open, path)
	})
	for path := range open {
		t.Errorf("%s is no field of a manifest", path)
	}
	tests := map[string]string{}
	for path, proof := range promises {
		dir, test, _ := strings.Cut(proof, " ")
		if tests[dir] == "" {
			tests[dir] = sources(t, filepath.Join("..", "..", "..", dir))
		}
		if !regexp.MustCompile(`(?m)^func ` + test + `\(t \*testing\.T\)`).MatchString(tests[dir]) {
			t.Errorf("%s: there is no test %s", path, proof)
		}
	}
}

// sources are the texts of the tests of a package.
func sources(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", dir, err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// Whatever the table says is refused is so, one by one and by its name.
func TestWhatIsNotDoneYetIsRefused(t *testing.T) {
	t.Parallel()
	number := regexp.MustCompile(`\[\d+\]`)
	action := func(in, out wire.Param) wire.Manifest {
		return wire.Manifest{Services: []wire.Service{{Actions: []wire.Action{{Input: []wire.Param{in}, Output: []wire.Param{out}}}}}}
	}
	said := map[string]wire.Manifest{
		"menus[]": {Menus: []wire.Menu{{ID: "x"}}}, "permissions[]": {Permissions: []string{"object.read"}},
		"settings[].secret": {Settings: []wire.Setting{{Secret: true}}}, "settings[].scope": {Settings: []wire.Setting{{Scope: "environment"}}},
		"services[].actions[].input[].risk":      action(wire.Param{Risk: "script"}, wire.Param{}),
		"services[].actions[].output[].risk":     action(wire.Param{}, wire.Param{Risk: "read"}),
		"services[].actions[].output[].default":  action(wire.Param{}, wire.Param{Default: "1"}),
		"services[].actions[].output[].required": action(wire.Param{}, wire.Param{Required: true}),
		"services[].actions[].output[].multiple": action(wire.Param{}, wire.Param{Multiple: true}),
		"run.binary":                             {Run: &wire.Run{Binary: "bin/x"}}, "run.image": {Run: &wire.Run{Image: "x.tar"}},
		"resources.bucket": {Resources: &wire.Resources{Bucket: true}}, "resources.memory": {Resources: &wire.Resources{Memory: "1Gi"}},
		"resources.cpu": {Resources: &wire.Resources{CPU: 0.5}},
		"ui.pages[]":    {UI: &wire.UI{Pages: []wire.UIPage{{Path: "/x"}}}},
	}
	for path, m := range said {
		for _, elsewhere := range []bool{false, true} {
			got := manifest.NotYet(&m, elsewhere)
			if len(got) != 1 || number.ReplaceAllString(got[0].Path, "[]") != path ||
				got[0].Code != manifest.CodeNotYet || !strings.HasPrefix(got[0].Message, "not yet: ") {
				t.Errorf("%s, elsewhere %v: %v", path, elsewhere, got)
			}
		}
	}
	refused := slices.Collect(maps.Keys(said))
	for path, proof := range promises {
		if proof == notYet && !slices.ContainsFunc(refused, func(p string) bool { return path == p || strings.HasPrefix(path, p+".") }) {
			t.Errorf("nothing is tried for %s", path)
		}
	}
	// Two of them are refused at one place alone, or by what is said.
	database := wire.Manifest{Resources: &wire.Resources{Database: true}}
	if here, there := manifest.NotYet(&database, false), manifest.NotYet(&database, true); len(here) != 0 ||
		len(there) != 1 || there[0].Path != "resources.database" {
		t.Errorf("a database: here %v, elsewhere %v", here, there)
	}
	project := wire.Manifest{Settings: []wire.Setting{{Scope: "project"}}}
	if got := manifest.NotYet(&project, true); len(got) != 0 {
		t.Errorf("a setting of a project: %v", got)
	}
}
