package sqldb

import (
	"regexp"
	"strconv"
	"strings"
)

// The house's SQL is written once, with ? for values and with
// "ON CONFLICT (key) DO UPDATE SET x = excluded.x" for rows that may be there.
// adapt gives it the form that a dialect takes. What stands in quotes and in
// comments stays as it is.
func adapt(d Dialect, query string) string {
	n := 0
	return outside(query, func(part string) string {
		switch d {
		case Postgres:
			var b strings.Builder
			for {
				before, after, found := strings.Cut(part, "?")
				b.WriteString(before)
				if !found {
					return b.String()
				}
				n++
				b.WriteString("$" + strconv.Itoa(n))
				part = after
			}
		case MySQL:
			part = conflictNothing.ReplaceAllString(part, " ON DUPLICATE KEY UPDATE $1 = $1")
			part = conflictUpdate.ReplaceAllString(part, " ON DUPLICATE KEY UPDATE ")
			return excluded.ReplaceAllString(part, "VALUES($1)")
		case SQLite:
		}
		return part
	})
}

var (
	conflictNothing = regexp.MustCompile(`(?i)\s+ON\s+CONFLICT\s*\(\s*(\w+)[^)]*\)\s*DO\s+NOTHING`)
	conflictUpdate  = regexp.MustCompile(`(?i)\s+ON\s+CONFLICT\s*\([^)]*\)\s*DO\s+UPDATE\s+SET\s+`)
	excluded        = regexp.MustCompile(`(?i)\bexcluded\.(\w+)`)
	quoted          = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*(?s:.*?)\*/`)
)

// outside hands fn what stands neither in quotes nor in comments.
func outside(query string, fn func(string) string) string {
	var b strings.Builder
	at := 0
	for _, q := range quoted.FindAllStringIndex(query, -1) {
		b.WriteString(fn(query[at:q[0]]))
		b.WriteString(query[q[0]:q[1]])
		at = q[1]
	}
	b.WriteString(fn(query[at:]))
	return b.String()
}

// Upsert is the statement that inserts a row or, where one with the same key
// columns exists, sets its other columns. The first keys columns are the key.
// Table and columns come from code, never from input.
func Upsert(table string, keys int, columns []string) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")")
	b.WriteString(" ON CONFLICT (" + strings.Join(columns[:keys], ", ") + ") DO ")
	if keys == len(columns) {
		b.WriteString("NOTHING")
		return b.String()
	}
	b.WriteString("UPDATE SET ")
	for i, c := range columns[keys:] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c + " = excluded." + c)
	}
	return b.String()
}

// typeWords are the words of migrations that stand for types, with what they
// are in the other dialects. Texts are compared by their bytes everywhere, and
// end where they end: a space at the end counts.
func typeWords(d Dialect, part string) string {
	switch d {
	case SQLite:
		part = wordVarchar.ReplaceAllString(part, "TEXT")
		return wordVarbinary.ReplaceAllString(part, "BLOB")
	case Postgres:
		part = wordVarchar.ReplaceAllString(part, "TEXT")
		part = wordVarbinary.ReplaceAllString(part, "BLOB")
		part = wordText.ReplaceAllString(part, `TEXT COLLATE "C"`)
		part = wordBlob.ReplaceAllString(part, "BYTEA")
	case MySQL, MariaDB:
		collation := "utf8mb4_0900_bin"
		if d == MariaDB {
			collation = "utf8mb4_nopad_bin"
		}
		part = wordVarchar.ReplaceAllString(part, "VARCHAR($1) CHARACTER SET utf8mb4 COLLATE "+collation)
		part = wordText.ReplaceAllString(part, "LONGTEXT CHARACTER SET utf8mb4 COLLATE "+collation)
		part = wordBlob.ReplaceAllString(part, "LONGBLOB")
	}
	part = wordInteger.ReplaceAllString(part, "BIGINT")
	return wordRowid.ReplaceAllString(part, "")
}

var (
	wordVarchar   = regexp.MustCompile(`\bVARCHAR\((\d+)\)`)
	wordVarbinary = regexp.MustCompile(`\bVARBINARY\((\d+)\)`)
	wordText      = regexp.MustCompile(`\bTEXT\b`)
	wordBlob      = regexp.MustCompile(`\bBLOB\b`)
	wordInteger   = regexp.MustCompile(`\bINTEGER\b`)
	wordRowid     = regexp.MustCompile(`\s*\bWITHOUT ROWID\b`)
	bareDefault   = regexp.MustCompile(`(LONG(?:TEXT|BLOB)[^,\n]*\bDEFAULT )('(?:[^']|'')*')`)
)

// render gives the text of a migration in a dialect.
func render(d Dialect, text string) string {
	text = outside(text, func(part string) string { return typeWords(d, part) })
	if d == MySQL || d == MariaDB { // long texts take an expression alone
		text = bareDefault.ReplaceAllString(text, "$1($2)")
		text = strings.ReplaceAll(text, "\nCREATE TABLE ", "\nCREATE TABLE IF NOT EXISTS ") // a migration is not one transaction there
	}
	return text
}
