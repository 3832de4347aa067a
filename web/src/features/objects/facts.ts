import type { ObjectType, Row } from '@/parts/objects'

export interface Fact {
  name: string
  value: string
}

const [most, long] = [3, 60]

/** The few facts of an object that say which one it is: short texts and numbers, in the order of its type. */
export function factsOf(type: ObjectType, row: Row, title: (a: { name: string }) => string = (a) => a.name): (Fact & { title: string })[] {
  const said = ['id', type.display, type.scope?.project, type.scope?.environment]
  return (type.attributes ?? [])
    .filter((a) => !a.secret && !a.observed && (a.type === 'string' || a.type === 'enum') && !said.includes(a.name))
    .map((a) => ({ name: a.name, title: title(a), value: typeof row[a.name] === 'string' ? (row[a.name] as string) : '' }))
    .filter((f) => f.value && f.value.length <= long)
    .slice(0, most)
}
