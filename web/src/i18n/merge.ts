export type Messages = Record<string, unknown>

function merge(into: Messages, from: Messages): Messages {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key]
    into[key] = value && typeof value === 'object' ? merge(old && typeof old === 'object' ? (old as Messages) : {}, value as Messages) : value
  }
  return into
}

/** The texts of all files as one tree. */
export function merged(files: Record<string, { default: Messages }>): Messages {
  return Object.values(files).reduce<Messages>((all, file) => merge(all, file.default), {})
}
