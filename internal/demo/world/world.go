// Package world gives the objects of the demo: what the stage is made of, in the
// words of those who operate it.
//
//	system guestbook
//	└─ subsystem guestbook-site
//	   └─ unit guestbook-web ──► balancer (host:host)
//	      ├─ instance guestbook-web-1 ──► app-1 (host:host)
//	      ├─ instance guestbook-web-2 ──► app-2 (host:host)
//	      └─ instance guestbook-web-3 ──► app-3 (host:host)
package world

import (
	"fmt"
	"net"
	"strconv"

	"sextant/internal/demo/stage"
	"sextant/sdk/go/wire"
)

// Ids of the objects that there is one of.
const (
	System    = "guestbook"
	Subsystem = "guestbook-site"
	Unit      = "guestbook-web"
)

const hostType = "host:host"

// Set is objects of one type.
type Set struct {
	Type string // plugin:type
	Rows []map[string]any
}

// Types are the object types that are to be defined in the plugin cmdb.
func Types() []wire.ObjectType {
	named := attribute("name", wire.TypeString, "Name", "名称")
	named.Required = true
	version := attribute("version", wire.TypeString, "Version", "版本")
	version.Observed = true
	state := attribute("state", wire.TypeEnum, "State", "状态")
	state.Values, state.Observed = []string{"up", "down"}, true
	return []wire.ObjectType{
		{
			Type: "system", Title: wire.Text{"en": "System", "zh": "系统"},
			Description: wire.Text{"en": "What users know by one name.", "zh": "用户以一个名称认知的系统。"}, Display: "name", Paging: true,
			Attributes: []wire.Attribute{named},
		},
		{
			Type: "subsystem", Title: wire.Text{"en": "Subsystem", "zh": "子系统"},
			Description: wire.Text{"en": "A part of a system with one owner.", "zh": "系统中由一个团队负责的部分。"}, Display: "name", Paging: true,
			Attributes: []wire.Attribute{named, reference("system", "cmdb:system", "System", "系统")},
		},
		{
			Type: "unit", Title: wire.Text{"en": "Unit", "zh": "单元"}, Description: wire.Text{
				"en": "An application that is released as one, behind a balancer.", "zh": "作为一个整体发布的应用，位于负载均衡之后。"}, Display: "name", Paging: true,
			Attributes: []wire.Attribute{
				named,
				reference("subsystem", "cmdb:subsystem", "Subsystem", "子系统"),
				reference("balancer", hostType, "Balancer", "负载均衡主机"),
				attribute("site", wire.TypeString, "Site", "站点地址"),
			},
		},
		{
			Type: "instance", Title: wire.Text{"en": "Instance", "zh": "实例"},
			Description: wire.Text{"en": "An application at work on a host.", "zh": "在主机上运行的应用实例。"}, Display: "name", Paging: true,
			Attributes: []wire.Attribute{
				named,
				reference("unit", "cmdb:unit", "Unit", "单元"),
				reference("host", hostType, "Host", "主机"),
				attribute("address", wire.TypeString, "Address", "服务地址"),
				version,
				state,
				attribute("previous", wire.TypeString, "Version before", "上一版本"),
				attribute("health_url", wire.TypeString, "Address of the health check", "健康检查地址"),
				attribute("version_url", wire.TypeString, "Address that tells the version", "版本查询地址"),
				attribute("inbox", wire.TypeString, "Place for packages on the host", "主机上的软件包路径"),
			},
		},
	}
}

func attribute(name, kind, en, zh string) wire.Attribute {
	return wire.Attribute{Name: name, Type: kind, Title: wire.Text{"en": en, "zh": zh}}
}

func reference(name, to, en, zh string) wire.Attribute {
	a := attribute(name, wire.TypeRef, en, zh)
	a.Required, a.To = true, to
	return a
}

// Objects are the objects of a stage, those that others refer to first. They say
// nothing of what runs report, so that loading them again loses nothing.
func Objects(s *stage.Stage) []Set {
	hosts := Set{Type: hostType}
	for _, h := range s.Hosts {
		hosts.Rows = append(hosts.Rows, host(h))
	}
	hosts.Rows = append(hosts.Rows, host(s.Balancer))
	instances := Set{Type: "cmdb:instance"}
	for i, h := range s.Hosts {
		id := fmt.Sprintf("%s-%d", Unit, i+1)
		instances.Rows = append(instances.Rows, map[string]any{
			"id": id, "name": id, "unit": Unit, "host": h.Name, "address": h.AppAddress, "state": "up",
			"health_url": h.URL() + "/healthz", "version_url": h.URL() + "/version", "inbox": h.Inbox(),
		})
	}
	return []Set{
		hosts,
		{"cmdb:system", []map[string]any{{"id": System, "name": "Guestbook"}}},
		{"cmdb:subsystem", []map[string]any{{"id": Subsystem, "name": "Guestbook site", "system": System}}},
		{"cmdb:unit",
			[]map[string]any{{"id": Unit, "name": "Guestbook web", "subsystem": Subsystem, "balancer": s.Balancer.Name, "site": s.Balancer.URL()}}},
		instances,
	}
}

// host is the object of a machine. Its port is told apart from its address, as
// people write it.
func host(h stage.Host) map[string]any {
	row := map[string]any{"id": h.Name, "name": h.Name, "address": h.Address, "user": h.User, "host_key": h.HostKey}
	if address, port, err := net.SplitHostPort(h.Address); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			row["address"], row["port"] = address, n
		}
	}
	return row
}
