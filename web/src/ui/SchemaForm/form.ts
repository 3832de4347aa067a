import { inject, provide, type InjectionKey, type Ref } from 'vue'
import type { FieldProblem } from '@/api/problem'
import { samePath } from '../paths'
import type { Schema } from './schema'
import type { Fault } from './validate'

/** What every field of a form has in common. */
export interface Form {
  root: Ref<Schema>
  /** What the server said, by the path that it names. */
  refused: Ref<FieldProblem[]>
  faults: Ref<Fault[]>
  /** The fields that have been left once; only these show what is wrong with them. */
  touched: Ref<ReadonlySet<string>>
  all: Ref<boolean>
  prefix: Ref<string>
  disabled: Ref<boolean>
  touch: (path: string) => void
}

const key: InjectionKey<Form> = Symbol('form')
export const provideForm = (form: Form) => provide(key, form)

export function useForm(): Form {
  const form = inject(key)
  if (!form) throw new Error('a field stands outside of a form')
  return form
}

/** The refusal of the server for a field, under the form's path or under its own. */
export function refusal(refused: FieldProblem[], prefix: string, path: string): string | undefined {
  const whole = prefix && path ? `${prefix}.${path}` : prefix || path
  return refused.find((f) => [whole, `body.${whole}`, path].some((p) => samePath(p, f.path)))?.message
}
