package host

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
)

const maxScript = 4 << 20 // bytes

type scriptIn struct {
	access
	Script     string          `sx:"script,type=text" title:"en=Script;zh=脚本" doc:"Text of the script, run by sh or by what its first line names." zh:"脚本内容，由 sh 或首行指定的解释器执行。"`
	ScriptFile plugin.File     `sx:"script_file" title:"en=Script file;zh=脚本文件" doc:"File with the script, instead of its text." zh:"脚本文件，用于代替脚本内容。"`
	Args       []string        `sx:"args" title:"en=Arguments;zh=参数" doc:"Arguments, each passed as it is." zh:"参数，逐个原样传递。"`
	Env        environment     `sx:"env" title:"en=Environment variables;zh=环境变量" doc:"Environment variables; numbers and true or false become text." zh:"环境变量；数字和布尔值按文本传递。"`
	SecretEnv  environment     `sx:"secret_env,secret" title:"en=Secret variables;zh=保密变量" doc:"Environment variables that nobody may see." zh:"保密的环境变量，任何人都看不到。"`
	Workdir    string          `sx:"workdir" title:"en=Working folder;zh=工作目录" doc:"Folder to run in; else the user's home." zh:"运行目录；不填则为用户主目录。"`
	Stdin      string          `sx:"stdin,type=text" title:"en=Standard input;zh=标准输入" doc:"Standard input, byte for byte." zh:"标准输入，逐字节传递。"`
	Timeout    plugin.Duration `sx:"timeout,default=PT10M" title:"en=Time limit;zh=时限" doc:"After this the script and its children are ended." zh:"超过该时间则结束脚本及其子进程。"`
	Grace      plugin.Duration `sx:"grace,default=PT3S" title:"en=Time to end;zh=结束宽限" doc:"How long the script has to end by itself once it is told to, before it is killed." zh:"通知脚本结束后，强制终止前的等待时间。"`
	Background string          `sx:"background,values=keep|end,default=keep" title:"en=Processes left behind;zh=遗留进程" doc:"What becomes of processes that the script leaves running when it ends by itself: keep them, as for a service that it started, or end them before the row is done." zh:"脚本自行结束后遗留进程的处理方式：keep 保留（例如脚本启动的服务），end 在完成前结束它们。"`
	ExpectExit []int           `sx:"expect_exit,default=[0]" title:"en=Exit codes of success;zh=成功的退出码" doc:"Exit codes that mean success." zh:"视为成功的退出码。"`
}

type scriptOut struct {
	ExitCode *int   `sx:"exit_code" title:"en=Exit code;zh=退出码"`
	Stdout   string `sx:"stdout,type=text" title:"en=Standard output;zh=标准输出" doc:"Standard output, of much the beginning and the end." zh:"标准输出；过长时只保留开头和结尾。"`
	Stderr   string `sx:"stderr,type=text" title:"en=Standard error;zh=标准错误" doc:"Standard error, of much the beginning and the end." zh:"标准错误；过长时只保留开头和结尾。"`
	Cut      bool   `sx:"cut" title:"en=Output cut;zh=输出已截断" doc:"True where a part of the output stands in the live output alone." zh:"部分输出只保留在实时输出中时为 true。"`
	State    string `sx:"state,to=.state@observed" title:"en=State;zh=状态" doc:"State of the host: up, down or unknown." zh:"主机状态：up、down 或 unknown。"`
}

// runScript runs a script on one host.
func (h *hosts) runScript(ctx context.Context, call *plugin.Call, in scriptIn) (scriptOut, error) {
	to, cred, err := in.at(h.reach, call)
	if err != nil {
		return scriptOut{}, call.Early(err)
	}
	script, err := in.text(ctx, call.Host)
	if err != nil {
		return scriptOut{}, call.Early(err)
	}
	env, err := in.environment()
	if err != nil {
		return scriptOut{}, call.Early(err)
	}
	script, what := ssh.Normalize(script)
	ctx, cancel := until(ctx, in.Timeout, "the script")
	defer cancel()
	w := h.watch(call)
	if what != "" {
		w.note(what)
	}
	res, err := w.run(ctx, to, cred, ssh.Command{Script: script, Args: in.Args,
		Env: env, Dir: in.Workdir, Stdin: in.Stdin, Grace: time.Duration(in.Grace), EndRest: in.Background == "end", Output: call})
	out := scriptOut{Stdout: res.Stdout, Stderr: res.Stderr, Cut: res.Cut, State: stateAfter(err)}
	if err != nil {
		return out, outcome(ctx, err)
	}
	out.ExitCode = &res.ExitCode
	if !slices.Contains(in.ExpectExit, res.ExitCode) {
		return out, plugin.Fail("host.exit", fmt.Sprintf("the script ended with exit code %d%s", res.ExitCode, lastLine(res.Stderr)))
	}
	return out, nil
}

// text is the script, from wherever it comes.
func (in scriptIn) text(ctx context.Context, on *plugin.Host) (string, error) {
	if (in.Script == "") == (in.ScriptFile.SHA256 == "") {
		return "", plugin.Fail("input.missing", "either script or script_file is needed")
	}
	if in.Script != "" {
		return in.Script, nil
	}
	f, err := on.File(ctx, in.ScriptFile.SHA256)
	if err != nil {
		return "", plugin.Fail("host.source", err.Error())
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxScript+1))
	if err != nil {
		return "", plugin.Fail("host.source", err.Error())
	}
	if len(data) > maxScript {
		return "", plugin.Fail("host.source", fmt.Sprintf("the script has more than %d bytes", maxScript))
	}
	return string(data), nil
}

// environment joins both sets of variables.
func (in scriptIn) environment() (map[string]string, error) {
	env := map[string]string{}
	for _, set := range []environment{in.Env, in.SecretEnv} {
		if set.wrong != "" {
			return nil, plugin.Fail("input.value", set.wrong)
		}
		for name, value := range set.values {
			if err := ssh.CheckEnvName(name); err != nil {
				return nil, plugin.Fail("input.value", err.Error())
			}
			if _, twice := env[name]; twice {
				return nil, plugin.Fail("input.value", fmt.Sprintf("the variable %q stands in env and in secret_env: give it once", name))
			}
			env[name] = value
		}
	}
	return env, nil
}

// environment is a set of variables whose values are texts, numbers or booleans.
type environment struct {
	values map[string]string
	wrong  string // what is wrong, without any value
}

// UnmarshalJSON keeps the text of numbers. A value that is none of the three is
// told by its name alone: it may be a secret.
func (e *environment) UnmarshalJSON(b []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	e.values = map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		var text string
		switch v := raw[name]; {
		case json.Unmarshal(v, &text) == nil && v[0] == '"':
		case v[0] == '{' || v[0] == '[' || v[0] == 'n':
			e.wrong = fmt.Sprintf("the value of the variable %q is neither a text nor a number nor true or false", name)
		default:
			text = string(v)
		}
		e.values[name] = text
	}
	return nil
}

// lastLine is the end of an error output, for a message.
func lastLine(stderr string) string {
	stderr = strings.TrimSpace(stderr)
	line := stderr[strings.LastIndex(stderr, "\n")+1:]
	if line == "" {
		return ""
	}
	return fmt.Sprintf(": %.300s", line)
}
