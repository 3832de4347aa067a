package host

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sextant/sdk/go/plugin"
	"sextant/sdk/go/ssh"
)

const maxScript = 4 << 20 // bytes

type scriptIn struct {
	access
	Script     string                   `sx:"script,type=text,risk=script" title:"en=Script;zh=脚本" doc:"Text of the script, run by sh or by what its first line names."`
	ScriptFile plugin.File              `sx:"script_file,risk=script" title:"en=Script file;zh=脚本文件" doc:"File with the script, instead of its text."`
	Args       []string                 `sx:"args" title:"en=Arguments;zh=参数" doc:"Arguments, each passed as it is."`
	Env        map[string]string        `sx:"env" title:"en=Environment variables;zh=环境变量" doc:"Environment variables."`
	SecretEnv  map[string]plugin.Secret `sx:"secret_env,secret" title:"en=Secret variables;zh=保密变量" doc:"Environment variables that nobody may see."`
	Workdir    string                   `sx:"workdir" title:"en=Working folder;zh=工作目录" doc:"Folder to run in; else the user's home."`
	Stdin      string                   `sx:"stdin,type=text" title:"en=Standard input;zh=标准输入" doc:"Standard input."`
	Timeout    plugin.Duration          `sx:"timeout,default=PT10M" title:"en=Time limit;zh=时限" doc:"After this the script and its children are ended."`
	ExpectExit []int                    `sx:"expect_exit,default=[0]" title:"en=Exit codes of success;zh=成功的退出码" doc:"Exit codes that mean success."`
}

type scriptOut struct {
	ExitCode *int   `sx:"exit_code" title:"en=Exit code;zh=退出码"`
	Stdout   string `sx:"stdout,type=text" title:"en=Standard output;zh=标准输出" doc:"Standard output, of much the beginning and the end."`
	Stderr   string `sx:"stderr,type=text" title:"en=Standard error;zh=标准错误" doc:"Standard error, of much the beginning and the end."`
	State    string `sx:"state,to=.state@observed" title:"en=State;zh=状态" doc:"State of the host: up, down or unknown."`
}

// runScript runs a script on one host.
func (h *hosts) runScript(ctx context.Context, call *plugin.Call, in scriptIn) (scriptOut, error) {
	to, cred, err := in.at()
	if err != nil {
		return scriptOut{}, err
	}
	script, err := in.text(ctx, call.Host)
	if err != nil {
		return scriptOut{}, err
	}
	env := maps.Clone(in.Env)
	if env == nil {
		env = map[string]string{}
	}
	for k, v := range in.SecretEnv {
		env[k] = string(v)
	}
	ctx, cancel := until(ctx, in.Timeout, "the script")
	defer cancel()
	res, err := h.pool.Run(ctx, to, cred, ssh.Command{
		Key: call.Key, Script: script, Args: in.Args, Env: env, Dir: in.Workdir, Stdin: in.Stdin, Output: call, Leave: plugin.ErrStopping,
	})
	out := scriptOut{Stdout: res.Stdout, Stderr: res.Stderr, State: stateAfter(err)}
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

// lastLine is the end of an error output, for a message.
func lastLine(stderr string) string {
	stderr = strings.TrimSpace(stderr)
	line := stderr[strings.LastIndex(stderr, "\n")+1:]
	if line == "" {
		return ""
	}
	return fmt.Sprintf(": %.300s", line)
}
