package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/template"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
)

const maxRendered = 8 << 20 // bytes

// errTooLarge ends a template that writes too much.
var errTooLarge = fmt.Errorf("the result has more than %d bytes", maxRendered)

type copyIn struct {
	access
	Source   plugin.File     `sx:"source,required" title:"en=File;zh=文件" doc:"File to place." zh:"要分发的文件。"`
	Path     string          `sx:"path,required" title:"en=Path on the host;zh=主机上的路径" doc:"Absolute path on the host; missing folders are made." zh:"主机上的绝对路径；缺少的目录会自动创建。"`
	Mode     string          `sx:"mode" title:"en=Permissions;zh=权限" doc:"Permissions, octal; else those of the file that is there, or 0644." zh:"八进制权限；不填则沿用已有文件的权限，否则为 0644。"`
	Links    string          `sx:"links,values=follow|refuse,default=follow" title:"en=Symbolic links;zh=符号链接" doc:"Where the path is a symbolic link: follow it and replace the file it leads to, or refuse." zh:"路径是符号链接时：follow 跟随并替换其指向的文件，refuse 拒绝。"`
	Checksum string          `sx:"checksum" title:"en=SHA-256;zh=SHA-256 校验和" doc:"SHA-256 that the file must have; else that of the source." zh:"文件应有的 SHA-256；不填则取源文件的。"`
	Timeout  plugin.Duration `sx:"timeout,default=PT10M" title:"en=Time limit;zh=时限"`
}

type renderIn struct {
	access
	Template string          `sx:"template,type=text,required" title:"en=Template;zh=模板" doc:"Go text/template; a value that is missing is an error." zh:"Go text/template 模板；缺少取值视为错误。"`
	Values   json.RawMessage `sx:"values,type=object" title:"en=Values;zh=取值" doc:"Values for the template." zh:"模板的取值。"`
	Path     string          `sx:"path,required" title:"en=Path on the host;zh=主机上的路径" doc:"Absolute path on the host; missing folders are made." zh:"主机上的绝对路径；缺少的目录会自动创建。"`
	Mode     string          `sx:"mode" title:"en=Permissions;zh=权限" doc:"Permissions, octal; else those of the file that is there, or 0644." zh:"八进制权限；不填则沿用已有文件的权限，否则为 0644。"`
	Links    string          `sx:"links,values=follow|refuse,default=follow" title:"en=Symbolic links;zh=符号链接" doc:"Where the path is a symbolic link: follow it and replace the file it leads to, or refuse." zh:"路径是符号链接时：follow 跟随并替换其指向的文件，refuse 拒绝。"`
	Timeout  plugin.Duration `sx:"timeout,default=PT2M" title:"en=Time limit;zh=时限"`
}

type fileOut struct {
	Checksum string `sx:"checksum" title:"en=SHA-256;zh=SHA-256 校验和" doc:"SHA-256 of the file on the host." zh:"主机上文件的 SHA-256。"`
	Changed  bool   `sx:"changed" title:"en=Changed;zh=有变更" doc:"False where the host had the file already." zh:"主机上已有该文件时为 false。"`
	Bytes    int64  `sx:"bytes" title:"en=Size (bytes);zh=大小 (字节)" doc:"Size of the file." zh:"文件大小。"`
}

// placed is a file on its way to one host.
type placed struct {
	access  access
	file    ssh.File
	mode    string
	links   string
	size    int64
	timeout plugin.Duration
}

// copyFile places a file of the platform.
func (h *hosts) copyFile(ctx context.Context, call *plugin.Call, in copyIn) (fileOut, error) {
	want := strings.ToLower(strings.TrimPrefix(in.Checksum, "sha256:"))
	if want != "" && want != in.Source.SHA256 {
		return fileOut{}, plugin.Fail("host.checksum", fmt.Sprintf("the source has the SHA-256 %s, and %s is wanted", in.Source.SHA256, want))
	}
	f, err := call.Host.File(ctx, in.Source.SHA256)
	if err != nil {
		return fileOut{}, call.Early(plugin.Fail("host.source", err.Error()))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fileOut{}, plugin.Fail("host.source", err.Error())
	}
	open := func() (io.ReadCloser, error) { return os.Open(f.Name()) }
	return h.place(ctx, call,
		placed{in.access, ssh.File{Path: in.Path, SHA256: in.Source.SHA256, Open: open}, in.Mode, in.Links, info.Size(), in.Timeout})
}

// renderFile fills a template and places the result.
func (h *hosts) renderFile(ctx context.Context, call *plugin.Call, in renderIn) (fileOut, error) {
	data, err := render(in.Template, in.Values)
	if err != nil {
		return fileOut{}, plugin.Fail("host.template", err.Error())
	}
	sum := sha256.Sum256(data)
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	return h.place(ctx, call, placed{in.access, ssh.File{Path: in.Path, SHA256: hex.EncodeToString(sum[:]), Open: open},
		in.Mode, in.Links, int64(len(data)), in.Timeout})
}

func (h *hosts) place(ctx context.Context, call *plugin.Call, p placed) (fileOut, error) {
	var mode uint64
	var err error
	if p.mode != "" {
		mode, err = strconv.ParseUint(p.mode, 8, 32)
	}
	if err != nil || mode > 0o777 || p.mode != "" && mode == 0 {
		return fileOut{}, plugin.Fail("input.value", fmt.Sprintf("the input mode is %q and not octal permissions such as 0644", p.mode))
	}
	if !strings.HasPrefix(p.file.Path, "/") || strings.HasSuffix(p.file.Path, "/") || strings.ContainsRune(p.file.Path, 0) {
		return fileOut{}, plugin.Fail("input.value", fmt.Sprintf("the input path is %q and not the absolute path of a file", p.file.Path))
	}
	to, cred, err := p.access.at(h.reach, call)
	if err != nil {
		return fileOut{}, call.Early(err)
	}
	p.file.Mode, p.file.NoLinks, p.file.Note = fs.FileMode(mode), p.links == "refuse", h.watch(call).note
	ctx, cancel := until(ctx, p.timeout, "the file")
	defer cancel()
	changed, err := h.pool.Copy(ctx, to, cred, p.file)
	if shut(err) {
		return fileOut{}, call.Early(outcome(ctx, err))
	}
	if err != nil {
		return fileOut{}, outcome(ctx, err)
	}
	return fileOut{Checksum: p.file.SHA256, Changed: changed, Bytes: p.size}, nil
}

// shut reports whether a host lets us in no more, so that it cannot be seen what an
// earlier sending has placed there.
func shut(err error) bool {
	switch ssh.KindOf(err) {
	case ssh.HostKeyUnknown, ssh.HostKeyChanged, ssh.HostKeyRevoked, ssh.Weak, ssh.Auth:
		return true
	}
	return false
}

// render fills a template. Numbers keep their decimal text.
func render(text string, values json.RawMessage) ([]byte, error) {
	data := map[string]any{}
	if len(values) > 0 {
		d := json.NewDecoder(bytes.NewReader(values))
		d.UseNumber()
		if err := d.Decode(&data); err != nil {
			return nil, fmt.Errorf("the values are no object: %w", err)
		}
	}
	t, err := template.New("template").Option("missingkey=error").Funcs(template.FuncMap{
		"quote": ssh.Quote,
		"join":  joined,
		"lower": strings.ToLower,
		"upper": strings.ToUpper,
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var out capped
	if err := t.Execute(&out, data); errors.Is(err, errTooLarge) {
		return nil, errTooLarge
	} else if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func joined(sep string, list []any) string {
	words := make([]string, len(list))
	for i, v := range list {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, sep)
}

// capped takes as much as a rendered file may have.
type capped struct{ bytes.Buffer }

// Write refuses what is too much.
func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxRendered {
		return 0, errTooLarge
	}
	return c.Buffer.Write(p)
}
