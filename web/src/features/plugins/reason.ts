type T = (key: string, fill?: object) => string

/** Why a plugin is unreachable, in the language of the console. */
const reasons: [RegExp, string][] = [
  [/^it has no address/, 'noAddress'],
  [/^it does not answer at (?<at>.+)$/, 'silent'],
  [/^it does not take its token/, 'token'],
  [/^it answers (?<status>.+) when it is asked/, 'status'],
  [/^it runs version (?<runs>.+), and (?<offered>.+) is the one that is offered$/, 'version'],
  [/^it was not reached$/, 'unreached'],
  [/^another program answers at (?<at>.+)$/, 'other'],
]

/** What the server says stands where the console has no words for it. */
export function reasonText(reason: string, t: T): string {
  for (const [form, name] of reasons) {
    const m = form.exec(reason)
    if (m) return t(`plugins.reason.${name}`, m.groups ?? {})
  }
  return reason
}
