package host

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
	"sextant/sdk/go/wire"
)

// hostKeys is the form of pinned host keys, as readPins of the SSH client reads them.
const hostKeys = `(?:[ \t]*(?:#.*|(?:@revoked[ \t]+)?(?:SHA256:[A-Za-z0-9+/]{43}=?|(?:[^\s#]+[ ` +
	`\t]+)?(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+[ \t]+[A-Za-z0-9+/]+=*)(?:[ \t].*)?)?\r?\n?)*`

const (
	name       = "host"
	objectType = "host:host"
	parallel   = 50 // rows of a call worked on at once; a row waits more than it works
)

// front is the plugin's card on the page of a host.
//
//go:embed ui
var front embed.FS

// errNoDatabase refuses a place to run that has no database for the hosts.
var errNoDatabase = errors.New("the host plugin keeps its hosts in a database: give it one")

// hosts is the plugin at work.
type hosts struct {
	pool  *ssh.Pool
	reach reach // set at the start
}

// New makes the plugin. Each place it runs in needs one of its own.
func New() *plugin.Plugin {
	p := plugin.New(wire.Manifest{
		Plugin: name, Version: "0.1.0",
		Title:       wire.Text{"en": "Hosts", "zh": "主机"},
		Description: wire.Text{"en": "Scripts, files, facts and waiting on machines over SSH.", "zh": "通过 SSH 在主机上执行脚本、分发文件、采集信息和等待就绪。"},
		Objects:     []wire.ObjectType{hostType()},
		Changes:     true,
		Resources:   &wire.Resources{Database: true},
	})
	p.UI(wire.UI{Entry: "ui/host.js", Cards: []wire.UICard{{On: objectType, Export: "facts"}}}, front)
	h := &hosts{pool: ssh.NewPool()}
	p.OnStart(func(ctx context.Context, on *plugin.Host) error {
		if on.DB == nil {
			return errNoDatabase
		}
		var err error
		if h.reach, err = readReach(on.Reach); err != nil {
			return err
		}
		store, err := objectstore.Open(ctx, on, name, objectstore.Fixed([]wire.ObjectType{hostType()}))
		if err != nil {
			return err
		}
		p.Objects("host", store)
		p.Changes(store)
		if !on.Go(func() { <-on.Context().Done(); h.pool.Close() }) {
			return plugin.ErrStopping
		}
		return nil
	})
	h.services(p)
	return p
}

func (h *hosts) services(p *plugin.Plugin) {
	p.Service("script", wire.Text{"en": "Scripts", "zh": "脚本"})
	p.Service("file", wire.Text{"en": "Files", "zh": "文件"})
	p.Service("facts", wire.Text{"en": "Facts", "zh": "主机信息"})
	p.Service("keys", wire.Text{"en": "Host keys", "zh": "主机密钥"})
	p.Service("wait", wire.Text{"en": "Waiting", "zh": "等待就绪"})
	again := &wire.Retry{Max: 2, Backoff: "PT5S..PT60S", On: []string{"transport"}}
	plugin.Action(p, plugin.Spec{
		Service: "script", Action: "run", Title: wire.Text{"en": "Run a script", "zh": "执行脚本"}, Target: objectType,
		Description: wire.Text{"en": "Runs a script detached on the host and waits for its end. The same row never runs twice.",
			"zh": "在主机上后台执行脚本并等待结束；同一次调用不会重复执行。"},
		Timeout: 24 * time.Hour, Parallel: parallel, Risk: wire.RiskChange,
		Idempotent: true, Settles: true, Retry: again, Effects: []string{"host:host.state"},
		OneOf: [][]string{{"script", "script_file"}},
	}, h.runScript)
	plugin.Action(p, plugin.Spec{
		Service: "file", Action: "copy", Title: wire.Text{"en": "Copy a file", "zh": "分发文件"}, Target: objectType,
		Description: wire.Text{"en": "Places a file on the host, whole and checked, unless it is there already.",
			"zh": "将文件完整分发到主机并校验；主机上已有时跳过。"},
		Timeout: time.Hour, Parallel: parallel, Risk: wire.RiskChange, Idempotent: true, Retry: again,
	}, h.copyFile)
	plugin.Action(p, plugin.Spec{
		Service: "file", Action: "render", Title: wire.Text{"en": "Render a template", "zh": "渲染模板文件"}, Target: objectType,
		Description: wire.Text{"en": "Fills a text/template with values and places the result on the host.", "zh": "用取值填充模板，并将结果分发到主机。"},
		Timeout:     10 * time.Minute, Parallel: parallel, Risk: wire.RiskChange, Idempotent: true, Retry: again,
	}, h.renderFile)
	plugin.Action(p, plugin.Spec{
		Service: "facts", Action: "collect", Title: wire.Text{"en": "Collect facts", "zh": "采集主机信息"}, Target: objectType,
		Description: wire.Text{"en": "Asks the host what it is and writes the answer to the object.", "zh": "采集主机信息并写入对象。"},
		Timeout:     5 * time.Minute, Parallel: parallel, Risk: wire.RiskRead,
		Idempotent: true, Settles: true, Retry: again, Effects: []string{"host:host.state"},
	}, h.collectFacts)
	plugin.Action(p, plugin.Spec{
		Service: "keys", Action: "scan", Title: wire.Text{"en": "Show host keys", "zh": "查看主机密钥"}, Target: objectType,
		Description: wire.Text{"en": "Asks the host for its keys, logs in nowhere and pins nothing: " +
			"compare the fingerprints with those on the host before you pin one.", "zh": "获取主机的密钥，不登录也不确认：请先与主机上显示的指纹核对，再写入。"},
		Timeout: time.Minute, Parallel: parallel, Risk: wire.RiskRead, Idempotent: true, Retry: again,
	}, h.scanKeys)
	plugin.Action(p, plugin.Spec{
		Service: "wait", Action: "port", Title: wire.Text{"en": "Wait for a port", "zh": "等待端口"}, Target: objectType,
		Description: wire.Text{"en": "Waits until a TCP port takes connections, " +
			"seen from the plugin. Addresses of the server itself and of clouds are refused unless the server's setting plugins.reach lists them.",
			"zh": "等待 TCP 端口可连接（从插件所在处访问）。除非服务器设置 plugins.reach 允许，否则拒绝访问服务器自身和云平台的地址。"},
		Timeout: 24 * time.Hour, Parallel: parallel, Risk: wire.RiskRead, Idempotent: true,
	}, h.waitPort)
	plugin.Action(p, plugin.Spec{
		Service: "wait", Action: "http", Title: wire.Text{"en": "Wait for a web address", "zh": "等待网址"}, Target: objectType,
		Description: wire.Text{"en": "Waits until a web address answers as expected, seen from the plugin. Redirects are answers " +
			"and not followed. Addresses of the server itself and of clouds are refused unless the server's setting plugins.reach lists them.",
			"zh": "等待网址返回预期的应答（从插件所在处访问）。重定向视为应答，不再跟随。除非服务器设置 plugins.reach 允许，否则拒绝访问服务器自身和云平台的地址。"},
		Timeout: 24 * time.Hour, Parallel: parallel, Risk: wire.RiskRead, Idempotent: true,
	}, h.waitHTTP)
}

// hostType is the object type that the plugin owns.
func hostType() wire.ObjectType {
	text := func(attr, kind, en, zh string) wire.Attribute {
		return wire.Attribute{Name: attr, Type: kind, Title: wire.Text{"en": en, "zh": zh}}
	}
	called := text("name", wire.TypeString, "Name", "名称")
	called.Required, called.Unique = true, true
	address := text("address", wire.TypeString, "Address", "地址")
	address.Required = true
	keys := text("host_key", wire.TypeText, "Host keys", "主机密钥")
	keys.Pattern = hostKeys
	keys.Description = wire.Text{"en": "Host keys, one a line: public keys or fingerprints SHA256:…, " +
		"which ssh-keyscan and host/keys/scan print", "zh": "主机密钥，每行一个：公钥或 SHA256:… 指纹，可由 ssh-keyscan 或 host/keys/scan 得到"}
	state := text("state", wire.TypeEnum, "State", "状态")
	state.Values, state.Observed = []string{stateUp, stateDown, stateUnknown}, true
	return wire.ObjectType{
		Type: "host", Title: wire.Text{"en": "Host", "zh": "主机"},
		Description: wire.Text{"en": "A machine that is reached over SSH.", "zh": "通过 SSH 访问的主机。"},
		Scope:       &wire.ObjectScope{Project: "project", Environment: "environment"}, Paging: true, Display: "name",
		Attributes: []wire.Attribute{
			{Name: wire.AttrID, Type: wire.TypeString, Required: true, Unique: true, Title: wire.Text{"en": "Id", "zh": "标识"}},
			called,
			address,
			text("port", wire.TypeInt, "SSH port", "SSH 端口"),
			text("user", wire.TypeString, "User", "用户"),
			keys,
			text("zone", wire.TypeString, "Zone", "区域"),
			text("environment", wire.TypeString, "Environment", "环境"),
			text("project", wire.TypeString, "Project", "项目"),
			text("os", wire.TypeString, "Operating system", "操作系统"),
			text("kernel", wire.TypeString, "Kernel", "内核"),
			text("arch", wire.TypeString, "Architecture", "架构"),
			text("cpus", wire.TypeInt, "CPUs", "CPU 数"),
			text("memory_mb", wire.TypeInt, "Memory (MB)", "内存 (MB)"),
			text("hostname", wire.TypeString, "Host name", "主机名"),
			state,
		},
	}
}

// until bounds a row by its own time-out, of which the message tells.
func until(ctx context.Context, d plugin.Duration, what string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, time.Duration(d), plugin.TimedOut(fmt.Sprintf("%s was not done within %v", what, time.Duration(d))))
}
