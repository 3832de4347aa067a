package cmdb

import (
	"context"
	"errors"
	"time"

	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

const name = "cmdb"

// The types that the plugin brings along.
const (
	typeType      = objectdoc.TypeType
	typeAttribute = objectdoc.TypeAttribute
	typeHistory   = "history"
)

// errNoDatabase refuses a place to run that has no database for the objects.
var errNoDatabase = errors.New("the cmdb plugin keeps its objects in a database: give it one")

// New makes the plugin. Each place it runs in needs one of its own.
func New() *plugin.Plugin {
	p := plugin.New(wire.Manifest{
		Plugin: name, Version: "0.1.0",
		Title: wire.Text{"en": "Configuration database", "zh": "配置管理数据库"},
		Description: wire.Text{"en": "Objects of types that people define, with references, desired and observed values, and history.",
			"zh": "由用户定义类型的配置对象，支持引用、期望值与实际值以及变更历史。"},
		Objects:   builtin(),
		Resources: &wire.Resources{Database: true},
	})
	s := &store{model: model{}}
	p.Model(s.types)
	p.ModelMark(s.mark)
	p.Objects("*", s)
	p.Changes(s)
	p.OnStart(func(ctx context.Context, on *plugin.Host) error {
		if on.DB == nil {
			return errNoDatabase
		}
		return s.open(ctx, on)
	})
	services(p, s)
	return p
}

func services(p *plugin.Plugin, s *store) {
	p.Service("types", wire.Text{"en": "Object types", "zh": "对象类型"})
	p.Service("import", wire.Text{"en": "Import", "zh": "导入"})
	plugin.Action(p, plugin.Spec{
		Service: "types", Action: "define", Title: wire.Text{"en": "Define object types", "zh": "定义对象类型"},
		Description: wire.Text{"en": "Creates the object types and attributes of a definition that " +
			"are missing and changes of the others what it names. What it does not mention stays.", "zh": "创建定义中缺少的对象类型和属性，并修改其中提到的内容；未提到的保持不变。"},
		Batch: 1, Parallel: 1, Timeout: 10 * time.Minute, Risk: wire.RiskChange, Idempotent: true,
	}, s.define)
	plugin.Action(p, plugin.Spec{
		Service: "import", Action: "yaml", Title: wire.Text{"en": "Import from YAML", "zh": "从 YAML 导入"},
		Description: wire.Text{"en": "Defines the types and creates or changes the objects of a YAML document, " +
			"all or nothing. Objects and attributes that it does not mention stay.", "zh": "按 YAML 文档定义类型、新建或修改对象，全部成功或全部不做；未提到的对象和属性保持不变。"},
		Batch: 1, Parallel: 1, Timeout: 10 * time.Minute, Risk: wire.RiskChange, Idempotent: true,
	}, s.importYAML)
}

// builtin are the types that the plugin brings along.
func builtin() []wire.ObjectType {
	attr := func(name, kind, en, zh string) wire.Attribute {
		return wire.Attribute{Name: name, Type: kind, Title: wire.Text{"en": en, "zh": zh}}
	}
	id := func() wire.Attribute {
		a := attr(wire.AttrID, wire.TypeString, "Id", "标识")
		a.Required, a.Unique = true, true
		return a
	}
	paging := attr("paging", wire.TypeBool, "Pages", "分页")
	paging.Default = "true"
	of := attr("object_type", wire.TypeRef, "Object type", "对象类型")
	of.Required, of.To = true, name+":"+typeType
	called := attr("name", wire.TypeString, "Name", "名称")
	called.Required = true
	kind := attr("type", wire.TypeEnum, "Type", "类型")
	kind.Required, kind.Values = true, kinds()
	return []wire.ObjectType{
		{
			Type: typeType, Title: wire.Text{"en": "Object type", "zh": "对象类型"}, Paging: true, Definition: true, Display: wire.AttrID,
			Description: wire.Text{"en": "A type of objects; its id is its name.", "zh": "对象类型，其标识即名称。"},
			Attributes: []wire.Attribute{
				id(),
				attr("title_en", wire.TypeString, "Title (English)", "标题（英文）"),
				attr("title_zh", wire.TypeString, "Title (Chinese)", "标题（中文）"),
				attr("description", wire.TypeText, "Description", "说明"),
				attr("description_zh", wire.TypeText, "Description (Chinese)", "说明（中文）"),
				attr("display", wire.TypeString, "Attribute shown as name", "显示属性"),
				attr("scope_project", wire.TypeString, "Attribute that holds the project", "项目属性"),
				attr("scope_environment", wire.TypeString, "Attribute that holds the environment", "环境属性"),
				paging,
			},
		},
		{
			Type: typeAttribute, Title: wire.Text{"en": "Attribute", "zh": "属性"}, Paging: true, Definition: true, Display: wire.AttrID,
			Description: wire.Text{"en": "An attribute of an object type; its id is <type>.<name>.", "zh": "对象类型的属性，其标识为 <类型>.<名称>。"},
			Attributes: []wire.Attribute{
				id(), of, called,
				attr("title", wire.TypeString, "Title (English)", "标题（英文）"),
				attr("title_zh", wire.TypeString, "Title (Chinese)", "标题（中文）"),
				kind,
				attr("required", wire.TypeBool, "Required", "必填"),
				attr("unique", wire.TypeBool, "Unique", "唯一"),
				attr("values", wire.TypeText, "Values of the enumeration", "枚举值"),
				attr("to", wire.TypeString, "Referenced type", "引用类型"),
				attr("observed", wire.TypeBool, "Has an observed value", "区分期望值与实际值"),
				attr("secret", wire.TypeBool, "Secret", "保密"),
				attr("default", wire.TypeText, "Default", "默认值"),
				attr("position", wire.TypeInt, "Position", "顺序"),
			},
		},
		objectstore.HistoryType(typeHistory),
	}
}

// kinds are the types that attributes may have.
func kinds() []string {
	return []string{wire.TypeString, wire.TypeText, wire.TypeInt, wire.TypeNumber,
		wire.TypeBool, wire.TypeDateTime, wire.TypeEnum, wire.TypeRef, wire.TypeMultiRef}
}
