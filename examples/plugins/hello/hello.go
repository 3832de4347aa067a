package main

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

// sayIn is what the service takes. The tags say what each input is called, what
// it is for and where it comes from when the process says nothing.
type sayIn struct {
	Name     string `sx:"name,required,from=path,expr=.name" title:"en=Name;zh=名称" doc:"Whom to greet; the name of the host." zh:"问候的对象，即主机名称。"`
	Greeting string `sx:"greeting,default=Hello" title:"en=Greeting;zh=问候语" doc:"The word to greet with." zh:"问候用语。"`
}

// sayOut is what it gives back.
type sayOut struct {
	Text string `sx:"text" title:"en=Text;zh=文字" doc:"The greeting." zh:"问候语。"`
}

// front is the plugin's card on the page of a host.
//
//go:embed ui
var front embed.FS

// newPlugin makes the plugin: a manifest and the functions behind it.
func newPlugin() *plugin.Plugin {
	p := plugin.New(wire.Manifest{
		Plugin: "hello", Version: "0.1.0",
		Title: wire.Text{"en": "Hello", "zh": "你好"},
	})
	plugin.Action(p, plugin.Spec{
		Service: "greeting", Action: "say", Title: wire.Text{"en": "Say hello", "zh": "问好"},
		Description: wire.Text{"en": "Greets a host by its name.", "zh": "按名称问候主机。"},
		Target:      "host:host", Risk: wire.RiskRead, Idempotent: true,
	}, say)
	p.UI(wire.UI{Entry: "ui/hello.js", Cards: []wire.UICard{{On: "host:host", Export: "greeting"}}}, front)
	return p
}

// say greets one host. It is called once for each row.
func say(_ context.Context, call *plugin.Call, in sayIn) (sayOut, error) {
	if strings.TrimSpace(in.Greeting) == "" {
		return sayOut{}, plugin.Fail("hello.silent", "there is no word to greet with")
	}
	text := in.Greeting + ", " + in.Name + "!"
	fmt.Fprintln(call, text) // live output: whoever watches the run sees it
	call.Progress(100, "greeted")
	return sayOut{Text: text}, nil
}
