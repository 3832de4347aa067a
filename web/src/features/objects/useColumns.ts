import { ref, watch } from 'vue'
import { typeRef, type Attribute, type ObjectType } from '@/parts/objects'

const usual = 6
const sure = 4

/** Which attributes stand in the list of a type; each person's choice is kept in the browser. */
export function useColumns(type: ObjectType) {
  const key = `sextant.columns.${typeRef(type)}`
  const possible = (type.attributes ?? []).filter((a) => !a.secret && a.name !== type.display)
  const first = () => {
    const worth = possible.filter((a) => a.type !== 'text' && a.name !== type.scope?.project && (a.name !== 'id' || !type.display))
    // What is wanted and observed matters most, then what has few values, then the rest as its owner ordered it.
    const weight = (a: Attribute) =>
      a.observed ? 0 : a.name === type.scope?.environment ? 1 : a.type === 'ref' || a.type === 'enum' ? 2 : 3
    return [...worth].sort((a, b) => weight(a) - weight(b)).slice(0, usual)
  }
  const kept = JSON.parse(localStorage.getItem(key) ?? 'null') as string[] | null
  const shown = ref<Attribute[]>(kept ? possible.filter((a) => kept.includes(a.name)) : first())
  watch(shown, (now) => localStorage.setItem(key, JSON.stringify(now.map((a) => a.name))))
  function choose(name: string) {
    const now = new Set(shown.value.map((a) => a.name))
    if (!now.delete(name)) now.add(name)
    shown.value = possible.filter((a) => now.has(a.name))
  }
  /** Nobody has asked for it: it goes where there is little room. */
  const spare = (a: Attribute) => !kept && shown.value.indexOf(a) >= sure
  return { shown, choose, spare }
}
