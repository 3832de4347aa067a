package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sextant/internal/kit/errs"
)

// longPassword is from how many characters a password is judged by its variety
// alone.
const longPassword = 20

// common are words and rows that guessers try first, as they are and with
// numbers and signs around them.
var common = strings.Fields(
	`password passwort passw0rd passphrase secret geheim admin administrator root toor sextant letmein welcome changeme default
iloveyou sunshine princess football baseball superman batman dragon ` +
		`monkey master shadow michael jennifer computer internet server system manager operator
qwerty qwertz azerty asdfgh zxcvbn qazwsx mima woaini test tester testing ` +
		`guest user login access company summer winter spring autumn starwars whatever trustno`)

// rows are keys that lie beside each other and letters that follow each other.
var rows = []string{"abcdefghijklmnopqrstuvwxyz", "01234567890123456789",
	"qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "1q2w3e4r5t6y7u8i9o0p", "!@#$%^&*()"}

// leet are signs that guessers read as letters.
var leet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// checkPassword refuses a password that is too short, too long, or among the first
// that a guesser would try for the user.
func checkPassword(name, p string) error {
	if n := utf8.RuneCountInString(p); n < minPassword || n > maxPassword {
		return errs.New(errs.Invalid, "identity.password", "a password has %d to %d characters", minPassword, maxPassword).
			At(errs.Field{Path: "password", Message: "too short or too long"})
	}
	if why := weak(name, p); why != "" {
		return errs.New(errs.Invalid, "identity.password_weak",
			"this password is guessed at once: it %s; take some words that do not belong together", why).
			At(errs.Field{Path: "password", Message: "too easy to guess"})
	}
	return nil
}

// weak says why a password is easy to guess; empty for one that is not.
func weak(name, p string) string {
	low := strings.ToLower(p)
	kinds := map[rune]bool{}
	for _, r := range low {
		kinds[r] = true
	}
	if len(kinds) < 5 {
		return "has fewer than five different characters"
	}
	if utf8.RuneCountInString(p) >= longPassword {
		return ""
	}
	if inRows(low) {
		return "is a row of keys, letters or numbers"
	}
	core := letters(low)
	if n := letters(strings.ToLower(name)); len(n) >= 3 && strings.Contains(core, n) && len(core) < 2*len(n)+4 {
		return "is the name of the user with little around it"
	}
	for _, text := range []string{core, letters(leet.Replace(strings.TrimRightFunc(low, func(r rune) bool { return !unicode.IsLetter(r) }))),
		letters(leet.Replace(low))} {
		if onlyCommon(text) {
			return "is a common word with numbers or signs"
		}
	}
	return ""
}

// letters are those of a text.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, s)
}

// onlyCommon reports whether a text is made of common words and no more than two
// letters beside them.
func onlyCommon(text string) bool {
	if text == "" {
		return true // numbers and signs alone
	}
	rest := text
	for _, w := range common {
		rest = strings.ReplaceAll(rest, letters(leet.Replace(w)), "")
	}
	return rest != text && len(rest) <= 2
}

// inRows reports whether most of a text runs along rows, forwards or backwards.
func inRows(s string) bool {
	runs := 0
	all := []rune(s)
	for i := 1; i < len(all); i++ {
		pair := string(all[i-1 : i+1])
		back := string([]rune{all[i], all[i-1]})
		for _, row := range rows {
			if strings.Contains(row, pair) || strings.Contains(row, back) {
				runs++
				break
			}
		}
	}
	return runs*4 >= (len(all)-1)*3
}
