/** A decision table as it is read: its rules in their order, by column. */
export interface DecisionTable {
  kind: 'table'
  id: string
  hitPolicy: string
  aggregation: string
  inputs: { label: string; expression: string; type: string; allowed: string }[]
  outputs: { label: string; type: string; allowed: string; otherwise: string }[]
  annotations: string[]
  rules: { id: string; inputs: string[]; outputs: string[]; annotations: string[] }[]
}
/** What a decision is made of: a table, a text of FEEL, or parts of which at least one is a table. */
export type Boxed = DecisionTable | { kind: 'text'; text: string } | { kind: 'parts'; parts: { label: string; of: Boxed }[] }

/** A decision or a business knowledge model of a file. */
export interface Logic {
  id: string
  name: string
  kind: 'decision' | 'knowledge'
  type: string
  description: string
  question: string
  parameters: string[]
  of?: Boxed
}
export interface Input {
  name: string
  type: string
  description: string
}
export interface Model {
  root: Element
  /** What the chosen decision is made of: itself, then what it requires, the nearest first. */
  logic: Logic[]
  /** What has to be given for it. */
  inputs: Input[]
}

const kids = (e: Element | undefined, ...names: string[]) => [...(e?.children ?? [])].filter((c) => names.includes(c.localName))
const kid = (e: Element | undefined, ...names: string[]) => kids(e, ...names)[0]
const at = (e: Element | undefined, name: string) => e?.getAttribute(name) ?? ''
const textOf = (e: Element | undefined) => kid(e, 'text')?.textContent.trim() ?? ''
const typeRef = (e: Element | undefined) => at(e, 'typeRef') || kid(e, 'typeRef')?.textContent.trim() || ''
const within = (e: Element | undefined, name: string) => [...(e?.getElementsByTagName('*') ?? [])].filter((x) => x.localName === name)

export const expressions = [
  'decisionTable',
  'literalExpression',
  'context',
  'invocation',
  'list',
  'relation',
  'functionDefinition',
  'conditional',
  'filter',
  'for',
  'every',
  'some',
  'expression',
]

function table(e: Element): DecisionTable {
  return {
    kind: 'table',
    id: at(e, 'id'),
    hitPolicy: at(e, 'hitPolicy') || 'UNIQUE',
    aggregation: at(e, 'aggregation'),
    inputs: kids(e, 'input').map((i) => {
      const of = kid(i, 'inputExpression')
      return { label: at(i, 'label') || textOf(of), expression: textOf(of), type: typeRef(of), allowed: textOf(kid(i, 'inputValues')) }
    }),
    outputs: kids(e, 'output').map((o) => ({
      label: at(o, 'label') || at(o, 'name') || at(e, 'outputLabel'),
      type: typeRef(o),
      allowed: textOf(kid(o, 'outputValues')),
      otherwise: textOf(kid(o, 'defaultOutputEntry')),
    })),
    annotations: kids(e, 'annotation').map((a) => at(a, 'name')),
    rules: kids(e, 'rule').map((r) => {
      const notes = kids(r, 'annotationEntry').map(textOf)
      // Older files have one note for a rule.
      const note = kid(r, 'description')?.textContent.trim()
      return {
        id: at(r, 'id'),
        inputs: kids(r, 'inputEntry').map(textOf),
        outputs: kids(r, 'outputEntry').map(textOf),
        annotations: notes.length || !note ? notes : [note],
      }
    }),
  }
}

/** An expression as a text of FEEL. */
export function feel(e: Element | undefined): string {
  if (!e) return 'null'
  const own = (of: Element | undefined, ...but: string[]) =>
    [...(of?.children ?? [])].find((c) => expressions.includes(c.localName) && !but.includes(c.localName))
  const part = (name: string) => feel(own(kid(e, name)))
  switch (e.localName) {
    case 'literalExpression':
    case 'expression':
      return textOf(e)
    case 'context': {
      const entries = kids(e, 'contextEntry').map((c) => ({ name: at(kid(c, 'variable'), 'name'), text: feel(own(c)) }))
      const result = entries.find((x) => !x.name)
      const lines = entries.filter((x) => x.name).map((x) => `  ${x.name}: ${indent(x.text)}`)
      return result ? `{\n${[...lines, `  result: ${indent(result.text)}`].join(',\n')}\n}.result` : `{\n${lines.join(',\n')}\n}`
    }
    case 'invocation':
      return `${feel(own(e))}(${kids(e, 'binding')
        .map((b) => `${at(kid(b, 'parameter'), 'name')}: ${feel(own(b))}`)
        .join(', ')})`
    case 'list':
      return `[${[...e.children]
        .filter((c) => expressions.includes(c.localName))
        .map(feel)
        .join(', ')}]`
    case 'relation': {
      const names = kids(e, 'column').map((c) => at(c, 'name'))
      const rows = kids(e, 'row').map(
        (r) =>
          `  {${[...r.children]
            .filter((c) => expressions.includes(c.localName))
            .map((c, i) => `${names[i] ?? i + 1}: ${feel(c)}`)
            .join(', ')}}`,
      )
      return `[\n${rows.join(',\n')}\n]`
    }
    case 'functionDefinition':
      return `function(${parameters(e).join(', ')}) ${feel(own(e))}`
    case 'conditional':
      return `if ${part('if')}\nthen ${part('then')}\nelse ${part('else')}`
    case 'filter':
      return `${part('in')}[${part('match')}]`
    case 'for':
      return `for ${at(e, 'iteratorVariable')} in ${part('in')} return ${part('return')}`
    case 'every':
    case 'some':
      return `${e.localName} ${at(e, 'iteratorVariable')} in ${part('in')} satisfies ${part('satisfies')}`
  }
  return e.textContent.trim()
}
const indent = (text: string) => text.replace(/\n/g, '\n  ')
const parameters = (e: Element | undefined) =>
  kids(e, 'formalParameter').map((p) => (typeRef(p) ? `${at(p, 'name')}: ${typeRef(p)}` : at(p, 'name')))

/** What stands within an expression, each with what it is called there. */
function partsOf(e: Element): { label: string; e: Element }[] {
  const inner = (of: Element) => [...of.children].filter((c) => expressions.includes(c.localName))
  return [...e.children].flatMap((c, i) => {
    if (expressions.includes(c.localName)) return [{ label: e.localName === 'list' ? String(i + 1) : '', e: c }]
    const name = at(kid(c, 'variable', 'parameter'), 'name') || (c.localName === 'contextEntry' ? '' : c.localName)
    return inner(c).map((x) => ({ label: name, e: x }))
  })
}

function boxed(e: Element): Boxed {
  if (e.localName === 'decisionTable') return table(e)
  if (!within(e, 'decisionTable').length) return { kind: 'text', text: feel(e) }
  return { kind: 'parts', parts: partsOf(e).map((p) => ({ label: p.label, of: boxed(p.e) })) }
}

function logicOf(e: Element): Logic {
  const knowledge = e.localName === 'businessKnowledgeModel'
  const holder = knowledge ? kid(e, 'encapsulatedLogic') : e
  const body = kid(holder, ...expressions)
  return {
    id: at(e, 'id'),
    name: at(e, 'name'),
    kind: knowledge ? 'knowledge' : 'decision',
    type: typeRef(kid(e, 'variable')),
    description: kid(e, 'description')?.textContent.trim() ?? '',
    question: kid(e, 'question')?.textContent.trim() ?? '',
    parameters: parameters(holder),
    of: body && boxed(body),
  }
}

/** Reads what a decision of a file is made of, and what has to be given for it. */
export function readModel(xml: string, decision: string): Model | undefined {
  const root = new DOMParser().parseFromString(xml, 'application/xml').documentElement
  const known = new Map(kids(root, 'decision', 'businessKnowledgeModel', 'inputData').map((e) => [at(e, 'id'), e]))
  const first = known.get(decision)
  if (first?.localName !== 'decision') return undefined
  const reached: Element[] = [first]
  for (const e of reached)
    for (const need of kids(e, 'informationRequirement', 'knowledgeRequirement').flatMap((r) =>
      kids(r, 'requiredInput', 'requiredDecision', 'requiredKnowledge'),
    )) {
      const of = known.get(at(need, 'href').replace(/^.*#/, ''))
      if (of && !reached.includes(of)) reached.push(of)
    }
  const inputs = reached
    .filter((e) => e.localName === 'inputData')
    .map((e) => ({
      name: at(kid(e, 'variable'), 'name') || at(e, 'name'),
      type: typeRef(kid(e, 'variable')),
      description: kid(e, 'description')?.textContent.trim() ?? '',
    }))
  const made = reached.filter((e) => e.localName !== 'inputData')
  return {
    root,
    logic: made.map(logicOf),
    inputs: [...inputs, ...unnamed(made, [...inputs.map((i) => i.name), ...made.map((e) => at(e, 'name'))])],
  }
}

/** A name, of one word or several. */
const isName = /^[\p{L}_][\p{L}\p{N}_]*(?: [\p{L}\p{N}_]+)*$/u
const words = /\b(?:and|or|in|if|then|else|for|return|some|every|satisfies|between|true|false|null|not|function)\b/

/** What tables look at and the model does not name is taken from the inputs, too. */
function unnamed(of: Element[], names: string[]): Input[] {
  const out: Input[] = []
  for (const e of of.filter((x) => x.localName === 'decision'))
    for (const x of within(e, 'inputExpression')) {
      const path = textOf(x)
      const [name = ''] = path.split('.')
      if (!isName.test(name) || words.test(name) || names.includes(name)) continue
      names.push(name)
      out.push({ name, type: path === name ? typeRef(x) : '', description: '' })
    }
  return out
}
