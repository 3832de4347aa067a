/** Json is any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined }

export type Step = string | number

/** Writes the way to a value as the API does: variables.hosts[0].name. */
export function joinPath(base: string, step: Step): string {
  if (typeof step === 'number') return `${base}[${step}]`
  return base ? `${base}.${step}` : step
}

/** Reads such a way; "a.0.b" and "a[0].b" lead to the same place. */
export function splitPath(path: string): Step[] {
  return path
    .replace(/\[(\d+)\]/g, '.$1')
    .split('.')
    .filter((s) => s !== '')
    .map((s) => (/^\d+$/.test(s) ? Number(s) : s))
}

/** Whether two ways lead to the same place. */
export function samePath(a: string, b: string): boolean {
  const x = splitPath(a)
  const y = splitPath(b)
  return x.length === y.length && x.every((s, i) => String(s) === String(y[i]))
}

export function isRecord(v: unknown): v is Record<string, Json | undefined> {
  return typeof v === 'object' && v !== null && !Array.isArray(v)
}
