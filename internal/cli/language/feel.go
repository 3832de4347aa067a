package language

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/value"
)

// feelOptions say what an expression is, and what it may see.
type feelOptions struct {
	vars  string
	unary bool
	input string
	now   string
}

const feelSources = "The expression is given as it is, as @file, or as - for standard input; an = before it is left out."

// Feel is the group of commands about FEEL.
func (a *Tools) Feel() *cobra.Command {
	var o feelOptions
	eval := &cobra.Command{
		Use: "eval <expression>", Short: "Evaluate a FEEL expression",
		Long: "Evaluates a FEEL expression and prints its value as FEEL writes it, " +
			"or as JSON with --json. What became null is told on standard error, with its place.\n" + feelSources +
			"\nWith --unary it is the cell of a decision table, and --input what is tested." + command.ExitHelp,
		Example: "  sextant feel eval '1 + a' --vars '{\"a\": 2}'\n  sextant feel eval --unary '[1..5], > 10' --input 3",
		Args:    command.Exactly(1, "an expression, @file or -"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.feelEval(args[0], o) },
	}
	f := eval.Flags()
	f.StringVar(&o.vars, "vars", "", "variables as JSON object or FEEL context, or @file")
	f.BoolVar(&o.unary, "unary", false, "the expression is a list of unary tests")
	f.StringVar(&o.input, "input", "", "what unary tests are about, as JSON or FEEL, or @file")
	f.StringVar(&o.now, "now", "", "the time that now() gives, such as 2026-01-31T12:00:00Z; else that of the clock")
	return command.Group("feel", "FEEL expressions", eval, a.feelCheckCmd())
}

// sourced is a text of the command line: itself, @file, or - for standard input.
func (a *Tools) sourced(text string) (string, error) {
	var data []byte
	var err error
	switch file, ok := strings.CutPrefix(text, "@"); {
	case text == "-":
		data, err = io.ReadAll(a.In)
	case ok && !strings.HasPrefix(file, `"`): // @"2026-01-31" is a date of FEEL
		data, err = os.ReadFile(file)
	default:
		return text, nil
	}
	return string(data), err
}

// expression is a text without its = .
func (a *Tools) expression(text string) (string, error) {
	text, err := a.sourced(text)
	if err != nil {
		return "", err
	}
	if expr, ok := feel.IsExpression(strings.TrimSpace(text)); ok {
		return expr, nil
	}
	return text, nil
}

// feelValue reads a value of the command line: JSON, or FEEL where it is none.
func (a *Tools) feelValue(flag, text string) (value.Value, error) {
	text, err := a.sourced(text)
	if err != nil || text == "" {
		return value.Null(), err
	}
	if v, err := value.FromJSON([]byte(text)); err == nil {
		return v, nil
	}
	x, err := feel.Compile(text)
	if err != nil {
		return value.Null(), command.Usage("--%s is neither JSON nor FEEL: %w", flag, err)
	}
	return x.Eval(&feel.Env{Zone: time.LoadLocation, Random: rand.Uint64})
}

func (a *Tools) feelEval(text string, o feelOptions) error {
	text, err := a.expression(text)
	if err != nil {
		return err
	}
	env, names, err := a.feelEnv(o)
	if err != nil {
		return err
	}
	compile := feel.Compile
	if o.unary {
		compile = feel.CompileUnaryTests
	}
	x, err := compile(text, feel.KnownNames(names...))
	if err != nil {
		return a.misread(text, err)
	}
	env.Warn = func(w feel.Warning) {
		line, column := x.Position(w.Offset)
		point(a.Err, text, place{line, column}, w.Message)
	}
	v, err := x.Eval(env)
	if err != nil {
		return err
	}
	if !a.JSON {
		_, err := fmt.Fprintln(a.Out, feelText(v))
		return err
	}
	data, err := value.ToJSON(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, "%s\n", data)
	return err
}

// feelText writes a value as it stands in an expression: a string in quotes.
func feelText(v value.Value) string {
	if v.Kind() != value.KindString {
		return v.String()
	}
	list := value.NewList([]value.Value{v}).String()
	return list[1 : len(list)-1]
}

// feelEnv is what an expression may see, and the names that it may use.
func (a *Tools) feelEnv(o feelOptions) (*feel.Env, []string, error) {
	env := &feel.Env{Now: time.Now(), Zone: time.LoadLocation, Random: rand.Uint64}
	if o.now != "" {
		now, err := time.Parse(time.RFC3339, o.now)
		if err != nil {
			return nil, nil, command.Usage("--now: %q is no time such as 2026-01-31T12:00:00Z", o.now)
		}
		env.Now = now
	}
	if o.input != "" && !o.unary {
		return nil, nil, command.Usage("--input is what --unary tests are about")
	}
	vars, err := a.feelValue("vars", o.vars)
	if err != nil {
		return nil, nil, err
	}
	ctx, ok := value.AsContext(vars)
	if !ok && o.vars != "" {
		return nil, nil, command.Usage("--vars is %s and no context", vars.Kind())
	}
	input, err := a.feelValue("input", o.input)
	if err != nil {
		return nil, nil, err
	}
	env.Lookup = func(name string) (value.Value, bool) {
		if name == "?" && o.unary {
			return input, true
		}
		if ctx == nil {
			return value.Null(), false
		}
		return ctx.Get(name)
	}
	return env, keys(vars, nil), nil
}

// keys lists the names within a value.
func keys(v value.Value, all []string) []string {
	if c, ok := value.AsContext(v); ok {
		for _, key := range c.Keys() {
			all = append(all, key)
			entry, _ := c.Get(key)
			all = keys(entry, all)
		}
	}
	if l, ok := value.AsList(v); ok {
		for _, item := range l {
			all = keys(item, all)
		}
	}
	return all
}

// misread tells what does not read as FEEL, and where.
func (a *Tools) misread(text string, err error) error {
	var e *feel.Error
	if !errors.As(err, &e) {
		return err
	}
	point(a.Err, text, place{e.Line, e.Column}, e.Message)
	return command.Outcome{Code: command.ExitFailed}
}

// place is where a message points at: line and character, both from 1.
type place struct{ line, column int }

// point shows a message with the line that it is about and a caret below it.
func point(w io.Writer, text string, at place, message string) {
	fmt.Fprintf(w, "%d:%d: %s\n", at.line, at.column, message)
	lines := strings.Split(text, "\n")
	if at.line < 1 || at.line > len(lines) {
		return
	}
	shown := []rune(strings.TrimRight(lines[at.line-1], "\r"))
	below := []rune(strings.Repeat(" ", min(at.column-1, len(shown))))
	for i := range below {
		if shown[i] == '\t' {
			below[i] = '\t'
		}
	}
	fmt.Fprintf(w, "  %s\n  %s^\n", string(shown), string(below))
}
