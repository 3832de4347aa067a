import type { Schemas } from '@/api/client'

export type Connection = Schemas['SettingConnection']

/** What the plugins of the platform read from a connection of a type; others bring their own. */
export const known: Record<string, { fields: string[]; secrets: string[] }> = {
  ssh: { fields: ['user', 'port', 'host_keys'], secrets: ['private_key', 'passphrase', 'password'] },
  http: { fields: ['url', 'user'], secrets: ['password', 'token'] },
  mysql: { fields: ['address', 'user', 'database'], secrets: ['password'] },
  postgres: { fields: ['address', 'user', 'database'], secrets: ['password'] },
}

const sealed = (value: unknown) => typeof value === 'object' && value !== null && '$secret' in value

/** The fields that may be read. */
export const plain = (c?: Connection) => Object.fromEntries(Object.entries(c?.fields ?? {}).filter(([, v]) => !sealed(v)))

/** The names of those that may not. */
export const secrets = (c?: Connection) =>
  Object.keys(c?.fields ?? {})
    .filter((k) => sealed(c!.fields[k]))
    .sort()

/** What stands in several lines, without those that are empty. */
export const linesOf = (text: string) =>
  text
    .split('\n')
    .map((l) => l.trim())
    .filter(Boolean)

/** Fields that hold several texts, one a line. */
const several = ['host_keys']

export function fieldText(value: unknown, name = ''): string {
  if (several.includes(name) && Array.isArray(value) && value.every((v) => typeof v === 'string')) return value.join('\n')
  return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
}

/** What stands in the fields that may be read. */
export const textsOf = (c?: Connection): Record<string, string> =>
  Object.fromEntries(Object.entries(plain(c)).map(([k, v]) => [k, fieldText(v, k)]))

/** What stands in a field: JSON where it reads as a number, a truth value, a list or an object, else the text itself. */
export function fieldValue(text: string, name = ''): unknown {
  if (several.includes(name) && !/^\s*\[/.test(text)) return linesOf(text)
  if (!/^\s*(-?\d+(\.\d+)?|true|false|null|[[{][\s\S]*)\s*$/.test(text)) return text
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'number' && String(value) !== text.trim() ? text : value
  } catch {
    return text
  }
}
