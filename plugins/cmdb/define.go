package cmdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"sextant/sdk/go/objectdoc"
	"sextant/sdk/go/plugin"
)

type defineIn struct {
	Types json.RawMessage `sx:"types,type=text,required" title:"en=Types;zh=类型" doc:"List of object types with their attributes, as YAML or JSON: type, title, description, display, scope, paging, attributes (name, type, title, required, unique, values, to, observed, secret, default, position). What a definition does not name stays; null takes it away." zh:"对象类型及其属性的列表，YAML 或 JSON 格式：type、title、description、display、scope、paging、attributes（name、type、title、required、unique、values、to、observed、secret、default、position）。未提到的保持不变，null 表示移除。"`
}

type defineOut struct {
	Types    []objectdoc.TypeResult `sx:"types" title:"en=Types;zh=类型" doc:"What was done about each type." zh:"对各类型所做的处理。"`
	Problems []objectdoc.Problem    `sx:"problems" title:"en=Problems;zh=问题" doc:"What is wrong, with line and column; then nothing was changed." zh:"错误及其行列位置；有错误时未做任何修改。"`
}

// define brings definitions to the platform, with the rights of the run.
func (s *store) define(ctx context.Context, call *plugin.Call, in defineIn) (defineOut, error) {
	types, err := objectdoc.ParseTypes(source(in.Types))
	if err != nil {
		return defineOut{Problems: found(err)}, failed("cmdb.definition", err)
	}
	done, err := send(ctx, call, objectdoc.Parsed(types), false)
	if err != nil {
		return defineOut{Problems: found(err)}, failed("cmdb.definition", err)
	}
	return defineOut{Types: done.Types}, nil
}

type importIn struct {
	Text   string `sx:"text,type=text,required" title:"en=Document;zh=文档" doc:"YAML document with types (see types/define) and objects: for each type a list of objects with id and attributes; attribute@observed for observed values; null removes a value. The objects are those of the project of the run." zh:"YAML 文档，包含 types（见 types/define）和 objects：每个类型一组对象，含 id 和属性；实际值写作 属性@observed；null 清除该值。对象属于运行所在的项目。"`
	DryRun bool   `sx:"dry_run" title:"en=Only try;zh=仅预演" doc:"Find out what would change, and change nothing." zh:"只查看将有哪些变更，不做修改。"`
}

type importOut struct {
	Created   int                    `sx:"created" title:"en=Created;zh=新建" doc:"Objects that were created." zh:"新建的对象数。"`
	Changed   int                    `sx:"changed" title:"en=Changed;zh=有变更" doc:"Objects that were changed." zh:"已修改的对象数。"`
	Unchanged int                    `sx:"unchanged" title:"en=Unchanged;zh=未变" doc:"Objects that were as the document wants them." zh:"与文档一致、无需修改的对象数。"`
	Types     []objectdoc.TypeResult `sx:"types" title:"en=Types;zh=类型" doc:"What was done about each type." zh:"对各类型所做的处理。"`
	Problems  []objectdoc.Problem    `sx:"problems" title:"en=Problems;zh=问题" doc:"What is wrong, with line and column; then nothing was changed." zh:"错误及其行列位置；有错误时未做任何修改。"`
}

// importYAML brings the types and objects of a document to the platform, all or
// nothing, with the rights of the run.
func (s *store) importYAML(ctx context.Context, call *plugin.Call, in importIn) (importOut, error) {
	doc, err := objectdoc.Parse([]byte(in.Text))
	if err != nil {
		return importOut{Problems: found(err)}, failed("cmdb.import", err)
	}
	done, err := send(ctx, call, doc, in.DryRun)
	if err != nil {
		return importOut{Problems: found(err)}, failed("cmdb.import", err)
	}
	return importOut{Created: done.Created, Changed: done.Changed, Unchanged: done.Unchanged, Types: done.Types}, nil
}

// source is the text of an input that may come as text or as the structure itself.
func source(raw json.RawMessage) []byte {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	return bytes.TrimSpace(raw)
}

// found gives the problems that an error tells of.
func found(err error) []objectdoc.Problem {
	var e *objectdoc.Error
	if errors.As(err, &e) {
		return e.Problems
	}
	return nil
}

// failed ends a call with what is wrong with its text; other errors stay.
func failed(code string, err error) error {
	var e *objectdoc.Error
	if errors.As(err, &e) {
		return plugin.Fail(code, e.Error())
	}
	return err
}
