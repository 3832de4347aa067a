import { shallowRef, type Ref } from 'vue'
import type { Problem } from '@/api/problem'

type Texts = Record<string, string>

const chinese = shallowRef<Texts>()
const about = shallowRef<Texts>()
const files = shallowRef<Texts>()
let asked = false

/** What the codes of the server are called in Chinese, once they are there: most people never meet one. */
function texts(): Texts | undefined {
  if (!asked) {
    asked = true
    void import('./zh.json').then((m) => (chinese.value = m.default as Texts))
    void import('./fields.zh.json').then((m) => (about.value = m.default as Texts))
    void import('./files.zh.json').then((m) => (files.value = m.default as Texts))
  }
  return chinese.value
}

/** Forms of what is said about fields, with places for what differs, and what they are in Chinese. */
let forms: { form: RegExp; says: string }[] | undefined

function fieldForms(): typeof forms {
  const all = about.value
  if (!all) return undefined
  return (forms ??= Object.entries(all).map(([text, says]) => ({
    form: new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{(\d)\}/g, '(?<_$1>.+?)')}$`, 's'),
    says,
  })))
}

/** What the server says about a field, in the language of the console; its own words where there are no others. */
export function fieldText(message: string | undefined, locale: Readonly<Ref<string>>): string | undefined {
  if (!message || locale.value !== 'zh' || /[\u4e00-\u9fff]/.test(message)) return message
  texts()
  for (const { form, says } of fieldForms() ?? []) {
    const m = form.exec(message)
    if (m) return says.replace(/\{(\d)\}/g, (_, n: string) => (m.groups?.[`_${n}`] ?? '').replace(/^"(.*)"$/s, '“$1”'))
  }
  return message
}

/** What a code of the server means, in the language of the console; nothing where the server's own words say more. */
export function codeText(code: string, locale: Readonly<Ref<string>>): string | undefined {
  return locale.value === 'zh' ? (texts()?.[code] ?? files.value?.[code]) : undefined
}

export interface Told {
  title: string
  /** The server's own words, where the title is a translation that says less. */
  said?: string
}

/** What is said under a code within a page: a check of the door, a fault in a file. */
export function sayCode(code: string | undefined, said: string, locale: Readonly<Ref<string>>): Told {
  const words = fieldText(said, locale) ?? said
  const text = words === said ? codeText(code ?? '', locale) : undefined
  return text ? { title: text, said } : { title: words }
}

/** What a problem is told as: a right that is missing by its name, all else by its code or in the server's words. */
export function tell(p: Problem, locale: Readonly<Ref<string>>, t: (key: string, fill?: object) => string): Told {
  const right = p.params.permission
  if (p.code === 'identity.forbidden' && right) {
    const { project = '', environment = '' } = p.params
    const where = environment ? 'environment' : project && project !== '*' && project !== 'default' ? 'project' : ''
    return { title: t('ui.error.forbidden', { right }), said: where ? t(`ui.error.where.${where}`, { project, environment }) : undefined }
  }
  if (p.code === 'network.unreachable') return { title: t('ui.error.unreachable') }
  const text = codeText(p.code, locale)
  return text && text !== p.title ? { title: text, said: p.title } : { title: p.title }
}
