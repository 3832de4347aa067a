// Package table writes rows of services as people read them: a line each, and in
// full below what a line leaves out.
package table

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"sextant/sdk/go/client"
)

// Rows writes what became of the rows of jobs, a line each.
func Rows(w io.Writer, jobs []client.DispatchJobState) {
	for _, j := range jobs {
		for _, r := range j.Rows {
			text := []string{}
			if r.Message != "" {
				line, _ := oneLine(r.Message, longestMessage)
				text = append(text, line)
			}
			for _, k := range slices.Sorted(maps.Keys(r.Outputs)) {
				line, _ := oneLine(Plain(r.Outputs[k]), longest)
				text = append(text, k+"="+line)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.Object, r.Outcome, strings.Join(text, " "))
		}
	}
}

// How many signs of a text stand in a line.
const (
	longest        = 100
	longestMessage = 300
)

// oneLine is a text as it stands in a table; cut says that there is more of it.
func oneLine(text string, most int) (line string, cut bool) {
	line = strings.TrimSuffix(text, "\n")
	if i := strings.IndexAny(line, "\r\n"); i >= 0 {
		line, cut = line[:i], true
	}
	if signs := []rune(line); len(signs) > most {
		line, cut = string(signs[:most]), true
	}
	if cut {
		line += "…"
	}
	return strings.ReplaceAll(line, "\t", " "), cut
}

// inMessage is what the message of a row is called below the lines.
const inMessage = "message"

// Whole writes the texts in full that the table has cut.
func Whole(w io.Writer, jobs []client.DispatchJobState) error {
	for _, j := range jobs {
		for _, r := range j.Rows {
			texts := map[string]string{inMessage: r.Message}
			for k, v := range r.Outputs {
				texts[k] = Plain(v)
			}
			for _, k := range slices.Sorted(maps.Keys(texts)) {
				most := longest
				if k == inMessage {
					most = longestMessage
				}
				if _, cut := oneLine(texts[k], most); !cut {
					continue
				}
				if _, err := fmt.Fprintf(w, "\n── %s · %s ──\n%s\n", r.Object, k, strings.TrimSuffix(texts[k], "\n")); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Plain is a value as people read it: lists and objects as JSON.
func Plain(v any) string {
	switch v.(type) {
	case map[string]any, []any:
		raw, err := json.Marshal(v)
		if err == nil {
			return string(raw)
		}
	}
	return fmt.Sprint(v)
}
