package feel_test

import (
	"slices"
	"strings"
	"testing"

	"sextant/internal/lang/feel"
	"sextant/internal/lang/feel/builtin"
	"sextant/internal/lang/feel/value"
)

// calls are one call of every form of every function: the arguments in the order of
// the form's parameters, and what comes out.
var calls = map[string][2]string{
	`abs(n)`:                            {`-1`, `1`},
	`after(point1, point2)`:             {`2, 1`, `true`},
	`after(point, range)`:               {`9, [1..5]`, `true`},
	`after(range, point)`:               {`[5..9], 4`, `true`},
	`after(range1, range2)`:             {`[6..9], [1..5]`, `true`},
	`all(list)`:                         {`[true, false]`, `false`},
	`all(item, …)`:                      {`true, true`, `true`},
	`and(list)`:                         {`[true, false]`, `false`},
	`and(item, …)`:                      {`true, true`, `true`},
	`any(list)`:                         {`[true, false]`, `true`},
	`any(item, …)`:                      {`false, false`, `false`},
	`append(list, item?, …)`:            {`[1], 2, 3`, `[1, 2, 3]`},
	`assert(value, condition, cause?)`:  {`5, true, "why"`, `5`},
	`before(point1, point2)`:            {`1, 2`, `true`},
	`before(point, range)`:              {`0, [1..5]`, `true`},
	`before(range, point)`:              {`[1..5], 6`, `true`},
	`before(range1, range2)`:            {`[1..5], [6..9]`, `true`},
	`ceiling(n, scale?)`:                {`1.25, 1`, `1.3`},
	`coincides(point1, point2)`:         {`1, 1`, `true`},
	`coincides(range1, range2)`:         {`[1..2], [1..2)`, `false`},
	`concatenate(list, …)`:              {`[1], [2]`, `[1, 2]`},
	`contains(string, match)`:           {`"abc", "b"`, `true`},
	`context(entries)`:                  {`[{key: "a", value: 1}]`, `{a: 1}`},
	`context merge(contexts)`:           {`[{a: 1}, {a: 2}]`, `{a: 2}`},
	`context merge(item, …)`:            {`{a: 1}, {b: 2}`, `{a: 1, b: 2}`},
	`context put(context, key, value)`:  {`{a: 1}, "b", 2`, `{a: 1, b: 2}`},
	`context put(context, keys, value)`: {`{a: 1}, ["b", "c"], 2`, `{a: 1, b: {c: 2}}`},
	`count(list)`:                       {`[1, 2]`, `2`},
	`count(item, …)`:                    {`1, 2, 3`, `3`},
	`date(from)`:                        {`"2026-01-31"`, `2026-01-31`},
	`date(year, month, day)`:            {`2026, 1, 31`, `2026-01-31`},
	`date and time(from)`:               {`"2026-01-31T08:00:00"`, `2026-01-31T08:00:00`},
	`date and time(date, time)`:         {`date("2026-01-31"), time("08:00:00")`, `2026-01-31T08:00:00`},
	`date and time(date, timezone)`:     {`date and time("2026-01-31T08:00:00Z"), "+01:00"`, `2026-01-31T09:00:00+01:00`},
	`day of week(date)`:                 {`date("2026-11-24")`, `Tuesday`},
	`day of year(date)`:                 {`date("2026-02-01")`, `32`},
	`decimal(n, scale, mode?)`:          {`2.25, 1, "up"`, `2.3`},
	`distinct values(list)`:             {`[1, 1, 2]`, `[1, 2]`},
	`duplicate values(list)`:            {`[1, 1, 2]`, `[1]`},
	`duration(from)`:                    {`"P1D"`, `P1D`},
	`during(point, range)`:              {`5, [1..9]`, `true`},
	`during(range1, range2)`:            {`[2..3], [1..9]`, `true`},
	`ends with(string, match)`:          {`"abc", "bc"`, `true`},
	`even(number)`:                      {`2`, `true`},
	`exp(number)`:                       {`0`, `1`},
	`extract(string, pattern)`:          {`"a1b2", "[0-9]"`, `["1", "2"]`},
	`finished by(range, point)`:         {`[1..9], 9`, `true`},
	`finished by(range1, range2)`:       {`[1..9], [5..9]`, `true`},
	`finishes(point, range)`:            {`9, [1..9]`, `true`},
	`finishes(range1, range2)`:          {`[5..9], [1..9]`, `true`},
	`flatten(list)`:                     {`[[1], 2]`, `[1, 2]`},
	`floor(n, scale?)`:                  {`1.25, 1`, `1.2`},
	`from base64(value)`:                {`"RkVFTA=="`, `FEEL`},
	`from json(value)`:                  {`"[1]"`, `[1]`},
	`fromAi(value, description?, type?, schema?, options?)`: {`1, "a", "number", {}, {}`, `1`},
	`get entries(m)`:                         {`{a: 1}`, `[{key: "a", value: 1}]`},
	`get entries(context)`:                   {`{a: 1}`, `[{key: "a", value: 1}]`},
	`get or else(value, default)`:            {`null, 1`, `1`},
	`get value(m, key)`:                      {`{a: 1}, "a"`, `1`},
	`get value(context, key)`:                {`{a: 1}, "a"`, `1`},
	`get value(context, keys)`:               {`{a: {b: 1}}, ["a", "b"]`, `1`},
	`includes(range, point)`:                 {`[1..20], 20`, `true`},
	`includes(range1, range2)`:               {`[1..9], [2..3]`, `true`},
	`index of(list, match)`:                  {`[1, 2, 1], 1`, `[1, 3]`},
	`insert before(list, position, newItem)`: {`[1, 2], 2, 9`, `[1, 9, 2]`},
	`is(value1?, value2?)`:                   {`1, 2`, `false`},
	`is blank(string)`:                       {`" "`, `true`},
	`is defined(value)`:                      {`1`, `true`},
	`is empty(list)`:                         {`[]`, `true`},
	`last day of month(date)`:                {`date("2026-02-01")`, `2026-02-28`},
	`list contains(list, element)`:           {`[1, 2], 2`, `true`},
	`list replace(list, position, newItem)`:  {`[1, 2], 2, 9`, `[1, 9]`},
	`list replace(list, match, newItem)`:     {`[1, 2], function(a, b) a = 2, 9`, `[1, 9]`},
	`log(number)`:                            {`1`, `0`},
	`lower case(string)`:                     {`"A"`, `a`},
	`matches(input, pattern, flags?)`:        {`"ABC", "b", "i"`, `true`},
	`max(list)`:                              {`[1, 2]`, `2`},
	`max(item, …)`:                           {`1, 2`, `2`},
	`mean(list)`:                             {`[1, 2]`, `1.5`},
	`mean(item, …)`:                          {`1, 2`, `1.5`},
	`median(list)`:                           {`[1, 2]`, `1.5`},
	`median(item, …)`:                        {`1, 2`, `1.5`},
	`meets(range1, range2)`:                  {`[1..5], [5..9]`, `true`},
	`met by(range1, range2)`:                 {`[5..9], [1..5]`, `true`},
	`min(list)`:                              {`[1, 2]`, `1`},
	`min(item, …)`:                           {`1, 2`, `1`},
	`mode(list)`:                             {`[1, 1, 2]`, `[1]`},
	`mode(item, …)`:                          {`1, 1, 2`, `[1]`},
	`modulo(dividend, divisor)`:              {`-12, 5`, `3`},
	`month of year(date)`:                    {`date("2026-11-24")`, `November`},
	`not(negand)`:                            {`true`, `false`},
	`now()`:                                  {``, `2026-11-24T08:00:00Z`},
	`number(from, grouping separator?, decimal separator?)`: {`"1.000,5", ".", ","`, `1000.5`},
	`odd(number)`:                                  {`2`, `false`},
	`or(list)`:                                     {`[true, false]`, `true`},
	`or(item, …)`:                                  {`false, false`, `false`},
	`overlaps(range1, range2)`:                     {`[1..5], [3..9]`, `true`},
	`overlaps after(range1, range2)`:               {`[3..9], [1..5]`, `true`},
	`overlaps before(range1, range2)`:              {`[1..5], [3..9]`, `true`},
	`partition(list, size)`:                        {`[1, 2, 3], 2`, `[[1, 2], [3]]`},
	`product(list)`:                                {`[2, 3]`, `6`},
	`product(item, …)`:                             {`2, 3`, `6`},
	`put(context, key, value)`:                     {`{a: 1}, "b", 2`, `{a: 1, b: 2}`},
	`put all(contexts)`:                            {`[{a: 1}, {b: 2}]`, `{a: 1, b: 2}`},
	`put all(item, …)`:                             {`{a: 1}, {b: 2}`, `{a: 1, b: 2}`},
	`range(from)`:                                  {`"[1..5)"`, `[1..5)`},
	`remove(list, position)`:                       {`[1, 2], 1`, `[2]`},
	`replace(input, pattern, replacement, flags?)`: {`"aBc", "b", "x", "i"`, `axc`},
	`reverse(list)`:                                {`[1, 2]`, `[2, 1]`},
	`round down(n, scale?)`:                        {`1.25, 1`, `1.2`},
	`round half down(n, scale?)`:                   {`1.25, 1`, `1.2`},
	`round half up(n, scale?)`:                     {`1.25, 1`, `1.3`},
	`round up(n, scale?)`:                          {`1.21, 1`, `1.3`},
	`sort(list, precedes?)`:                        {`[1, 2], function(a, b) a > b`, `[2, 1]`},
	`split(string, delimiter)`:                     {`"a;b", ";"`, `["a", "b"]`},
	`sqrt(number)`:                                 {`16`, `4`},
	`started by(range, point)`:                     {`[1..9], 1`, `true`},
	`started by(range1, range2)`:                   {`[1..9], [1..3]`, `true`},
	`starts(point, range)`:                         {`1, [1..9]`, `true`},
	`starts(range1, range2)`:                       {`[1..3], [1..9]`, `true`},
	`starts with(string, match)`:                   {`"abc", "ab"`, `true`},
	`stddev(list)`:                                 {`[1, 2, 3]`, `1`},
	`stddev(item, …)`:                              {`1, 2, 3`, `1`},
	`string(from)`:                                 {`1.50`, `1.5`},
	`string join(list, delimiter?)`:                {`["a", "b"], "-"`, `a-b`},
	`string join(list, delimiter, prefix, suffix)`: {`["a", "b"], "-", "<", ">"`, `<a-b>`},
	`string length(string)`:                        {`"abc"`, `3`},
	`sublist(list, start position, length?)`:       {`[1, 2, 3], 2, 1`, `[2]`},
	`substring(string, start position, length?)`:   {`"abcd", 2, 2`, `bc`},
	`substring after(string, match)`:               {`"a/b", "/"`, `b`},
	`substring before(string, match)`:              {`"a/b", "/"`, `a`},
	`sum(list)`:                                    {`[1, 2]`, `3`},
	`sum(item, …)`:                                 {`1, 2`, `3`},
	`time(from)`:                                   {`"08:00:00"`, `08:00:00`},
	`time(hour, minute, second, offset?)`:          {`8, 30, 1, duration("PT1H")`, `08:30:01+01:00`},
	`to base64(value)`:                             {`"FEEL"`, `RkVFTA==`},
	`to json(value)`:                               {`[1]`, `[1]`},
	`today()`:                                      {``, `2026-11-24`},
	`trim(string)`:                                 {`" a "`, `a`},
	`union(list, …)`:                               {`[1], [1, 2]`, `[1, 2]`},
	`upper case(string)`:                           {`"a"`, `A`},
	`week of year(date)`:                           {`date("2026-11-24")`, `48`},
	`years and months duration(from, to)`:          {`date("2025-01-31"), date("2026-03-01")`, `P1Y1M`},
}

// random are functions of which no result can stand here.
var random = []string{"uuid()", "random number()"}

// positional tells forms that take their arguments by position alone.
func positional(form string) bool { return strings.Contains(form, "…") }

func given(t *testing.T, src string) string {
	t.Helper()
	x, err := feel.Compile(src)
	if err != nil {
		t.Errorf("%s: %v", src, err)
		return ""
	}
	v, err := x.Eval(env(value.Null()))
	if err != nil {
		t.Errorf("%s: %v", src, err)
	}
	return v.String()
}

// Every form of every function gives the same by position and by name, in whatever
// order the names come, with and without what may be left out.
func TestEveryFormByPositionAndByName(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, f := range builtin.All() {
		for _, form := range f.Forms() {
			row, ok := calls[form]
			if slices.Contains(random, form) {
				continue
			}
			if !ok {
				t.Errorf("no row calls %s", form)
				continue
			}
			used[form] = true
			checkForm(t, f, form, row)
		}
	}
	for form := range calls {
		if !used[form] {
			t.Errorf("there is no function of the form %s", form)
		}
	}
}

func checkForm(t *testing.T, f *builtin.Func, form string, row [2]string) {
	t.Helper()
	if got := given(t, f.Name+"("+row[0]+")"); got != row[1] {
		t.Errorf("%s(%s) gives %s, not %s", f.Name, row[0], got, row[1])
	}
	inner := strings.TrimSuffix(form[len(f.Name)+1:], ")")
	if positional(form) || inner == "" {
		return
	}
	names, args := strings.Split(inner, ", "), arguments(row[0])
	if len(names) != len(args) {
		t.Errorf("the row of %s has %d arguments: it has to have all", form, len(args))
		return
	}
	var named []string
	for i, name := range names {
		named = append(named, strings.TrimSuffix(name, "?")+": "+args[i])
	}
	if got := given(t, f.Name+"("+strings.Join(named, ", ")+")"); got != row[1] {
		t.Errorf("%s(%s) gives %s, not %s", f.Name, strings.Join(named, ", "), got, row[1])
	}
	if turned := slices.Clone(names); len(f.Params) < 4 { // point, range and range, point are both before and after
		slices.Reverse(named)
		slices.Reverse(turned)
		if got := given(t, f.Name+"("+strings.Join(named, ", ")+")"); got != row[1] {
			t.Errorf("%s(%s) gives %s, not %s", f.Name, strings.Join(named, ", "), got, row[1])
		}
	}
	if got := given(t, f.Name+"("+strings.Join(append(named, "nonsense: 1"), ", ")+")"); got != "null" {
		t.Errorf("%s takes a parameter that it does not have and gives %s", form, got)
	}
}

// arguments cuts at commas that lie in no bracket or string.
func arguments(s string) []string {
	var all []string
	depth, from, quoted := 0, 0, false
	for i, c := range s {
		switch {
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.ContainsRune("([{", c):
			depth++
		case strings.ContainsRune(")]}", c):
			depth--
		case c == ',' && depth == 0:
			all, from = append(all, strings.TrimSpace(s[from:i])), i+1
		}
	}
	return append(all, strings.TrimSpace(s[from:]))
}

// Wrong numbers of arguments, and arguments of a kind that none of the overloads of
// a relation takes, give null.
func TestOverloadsThatDoNotExist(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		"includes(5, [1..9])", "includes(range: 5, point: [1..9])", "during([1..9], 5)",
		"during(point: [1..9], range: [1..9])", "starts([1..9], 1)",
		"started by(1, [1..9])", "finishes([1..9], 9)", "finished by(9, [1..9])", "meets(1, [1..9])", "met by([1..9], 1)", "overlaps(1, 2)",
		"coincides(1, [1..1])", "coincides(point1: [1..1], point2: 1)", "includes([1..9])", "before(1)", "includes({t: (!= 5)}.t, 4)",
	} {
		if got := given(t, call); got != "null" {
			t.Errorf("%s gives %s", call, got)
		}
	}
	for call, want := range map[string]string{
		"includes(range: [1..20], point: 20)": "true", "includes(point: 20, range: [1..20])": "true",
		"finished by(range: [1..20], point: 20)": "true", "started by(point: 1, range: [1..20])": "true",
		"before(range: [1..2], point: 5)": "true", "before(point: 5, range: [1..2])": "false",
		"after(range: [1..2], point: 0)": "true", "after(point: 0, range: [1..2])": "false",
	} {
		if got := given(t, call); got != want {
			t.Errorf("%s gives %s, not %s", call, got, want)
		}
	}
}

// A name with several spaces in a row is read with any white space, and is the one
// that the caller brings.
func TestNamesWithSeveralSpaces(t *testing.T) {
	t.Parallel()
	for _, src := range []string{"Full Name + 1", "Full   Name + 1", "Full \t Name+1"} {
		x, err := feel.Compile(src, feel.KnownNames("Full   Name"))
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		v, err := x.Eval(&feel.Env{Lookup: func(name string) (value.Value, bool) { return value.Int(1), name == "Full   Name" }})
		if err != nil || v.String() != "2" {
			t.Errorf("%s gives %s %v", src, v, err)
		}
	}
}
