package language

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/lang/feel/service"
	"sextant/internal/lang/feel/value"
)

func (a *Tools) feelCheckCmd() *cobra.Command {
	var o feelOptions
	check := &cobra.Command{
		Use: "check <file or expression> …", Short: "Find mistakes in FEEL expressions",
		Long: "Finds what does not read as FEEL, and what reads but is always null: wrong numbers and types of arguments, " +
			"comparisons of different types, unknown parts.\nWith --vars every other name is a mistake, and the types of their values are used. " +
			"Each argument is a file, @file, an expression, or - for standard input.\n" +
			"Ends with 1 if there is an error; warnings and hints alone end with 0." + command.ExitHelp,
		Example: "  sextant feel check rules/*.feel\n  sextant feel check 'limt > 3' --vars '{\"limit\": 5}'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return command.Usage("want files or expressions")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.feelCheck(args, o) },
	}
	f := check.Flags()
	f.StringVar(&o.vars, "vars", "", "variables as JSON object or FEEL context, or @file")
	f.BoolVar(&o.unary, "unary", false, "the expressions are lists of unary tests")
	f.StringVar(&o.input, "input", "", "what unary tests are about, as JSON or FEEL, or @file")
	return check
}

// finding is a finding about one of several texts.
type finding struct {
	Source string `json:"source,omitempty"` // the file, empty for an expression
	Line   int    `json:"line"`
	Column int    `json:"column"`
	service.Diagnostic
	text string
}

func (a *Tools) feelCheck(args []string, o feelOptions) error {
	env, err := a.checkEnv(o)
	if err != nil {
		return err
	}
	all := []finding{}
	for _, arg := range args {
		source := ""
		if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
			source, arg = arg, "@"+arg
		} else if file, ok := strings.CutPrefix(arg, "@"); ok && !strings.HasPrefix(file, `"`) {
			source = file
		}
		text, err := a.expression(arg)
		if err != nil {
			return err
		}
		for _, d := range service.Diagnose(text, env) {
			line, column := lineColumn(text, d.From)
			all = append(all, finding{source, line, column, d, text})
		}
	}
	return a.findings(all)
}

func (a *Tools) checkEnv(o feelOptions) (service.Env, error) {
	env := service.Env{Unary: o.unary, Closed: o.vars != ""}
	if o.input != "" && !o.unary {
		return env, command.Usage("--input is what --unary tests are about")
	}
	vars, err := a.feelValue("vars", o.vars)
	if err != nil {
		return env, err
	}
	ctx, ok := value.AsContext(vars)
	if !ok && o.vars != "" {
		return env, command.Usage("--vars is %s and no context", vars.Kind())
	}
	if ok {
		for _, name := range ctx.Keys() {
			v, _ := ctx.Get(name)
			env.Vars = append(env.Vars, service.Variable{Name: name, Type: service.TypeOf(v)})
		}
	}
	input, err := a.feelValue("input", o.input)
	env.Input = service.TypeOf(input)
	return env, err
}

// findings shows what was found, and ends with 1 if that is an error.
func (a *Tools) findings(all []finding) error {
	var end error
	for _, f := range all {
		if f.Severity == service.Fault {
			end = command.Outcome{Code: command.ExitFailed}
		}
	}
	if a.JSON {
		if err := a.Show(map[string]any{"items": all}, nil); err != nil {
			return err
		}
		return end
	}
	for _, f := range all {
		if f.Source != "" {
			fmt.Fprintf(a.Out, "%s:", f.Source)
		}
		message := fmt.Sprintf("%s: %s", f.Severity, f.Message)
		if f.Remedy != "" {
			message = strings.TrimSuffix(message, ".") + ". " + f.Remedy
		}
		point(a.Out, f.text, place{f.Line, f.Column}, fmt.Sprintf("%s [%s]", message, f.Code))
	}
	return end
}

// lineColumn counts lines and characters from 1.
func lineColumn(text string, offset int) (line, column int) {
	before := text[:offset]
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}
