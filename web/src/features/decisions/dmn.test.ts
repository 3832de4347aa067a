import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readModel, type DecisionTable } from './dmn'
import { allowed, formOf } from './inputs'

const file = (name: string) => readFileSync(join(import.meta.dirname, '../../../../examples/decisions', name), 'utf8')
const wrap = (inner: string) =>
  `<?xml version="1.0"?><d:definitions xmlns:d="https://www.omg.org/spec/DMN/20191111/MODEL/" id="m" name="M" namespace="n">${inner}</d:definitions>`
const decision = (body: string) => wrap(`<d:decision id="x" name="X">${body}</d:decision>`)
const text = (body: string) => {
  const of = readModel(decision(body), 'x')!.logic[0]!.of!
  return of.kind === 'text' ? of.text : of.kind
}
const lit = (t: string) => `<d:literalExpression><d:text>${t}</d:text></d:literalExpression>`

describe('a DMN file', () => {
  const model = readModel(file('change-risk.dmn'), 'approval')!

  it('tells a decision and all that it requires, the nearest first', () => {
    expect(model.logic.map((l) => [l.id, l.kind])).toEqual([
      ['approval', 'decision'],
      ['risk', 'decision'],
      ['busyHours', 'decision'],
      ['busy', 'knowledge'],
    ])
    expect(model.logic[2]!.of).toEqual({ kind: 'text', text: 'is busy(moment: Start)' })
    expect(model.logic[3]!.parameters).toEqual(['moment: date and time'])
    expect(readModel(file('change-risk.dmn'), 'change'), 'an input is no decision').toBeUndefined()
    expect(readModel(file('change-risk.dmn'), 'none')).toBeUndefined()
  })
  it('tells a table by its columns, with policy, allowed values and notes', () => {
    const table = model.logic[1]!.of as DecisionTable
    expect(table).toMatchObject({ kind: 'table', id: 'riskTable', hitPolicy: 'PRIORITY', annotations: ['why'] })
    expect(table.inputs[0]).toEqual({ label: 'environment', expression: 'Change.environment', type: 'tEnvironment', allowed: '' })
    expect(table.outputs).toEqual([{ label: 'risk', type: '', allowed: '"high", "medium", "low"', otherwise: '' }])
    expect(table.rules).toHaveLength(6)
    expect(table.rules[2]).toEqual({
      id: 'many',
      inputs: ['"prod"', '-', '> 100', '-', '-'],
      outputs: ['"high"'],
      annotations: ['Many objects at once.'],
    })
  })
  it('tells what has to be given, with its types, and nothing else', () => {
    expect(model.inputs.map((i) => [i.name, i.type])).toEqual([
      ['Change', 'tChange'],
      ['Start', 'date and time'],
    ])
    const schema = formOf(model.root, model.inputs)
    expect(schema.required).toEqual(['Change'])
    expect(schema.properties!.Change!.properties).toMatchObject({
      environment: { type: 'string', enum: ['dev', 'test', 'prod'] },
      tier: { type: 'number', enum: [1, 2, 3] },
      objects: { type: 'number' },
      'can roll back': { enum: [true, false] },
    })
    expect(schema.properties!.Start).toMatchObject({ type: 'string', 'x-placeholder': '2026-03-03T09:30:00' })
  })
  it('names the inputs that only its tables look at', () => {
    const column = (t: string, type: string) =>
      `<d:input><d:inputExpression typeRef="${type}"><d:text>${t}</d:text></d:inputExpression></d:input>`
    const { inputs } = readModel(
      decision(
        `<d:decisionTable>${column('season', 'string')}${column('guest.count', 'number')}${column('count(list) &gt; 3', 'boolean')}${column('season', 'string')}<d:output/></d:decisionTable>`,
      ),
      'x',
    )!
    expect(inputs.map((i) => [i.name, i.type])).toEqual([
      ['season', 'string'],
      ['guest', ''],
    ])
  })
})

describe('an expression in boxes', () => {
  it('is told as FEEL', () => {
    expect(text(lit('1 + 2'))).toBe('1 + 2')
    expect(
      text(
        `<d:context><d:contextEntry><d:variable name="a"/>${lit('1')}</d:contextEntry><d:contextEntry>${lit('a + 1')}</d:contextEntry></d:context>`,
      ),
    ).toBe('{\n  a: 1,\n  result: a + 1\n}.result')
    expect(text(`<d:list>${lit('1')}${lit('2')}</d:list>`)).toBe('[1, 2]')
    expect(text(`<d:relation><d:column name="a"/><d:column name="b"/><d:row>${lit('1')}${lit('2')}</d:row></d:relation>`)).toBe(
      '[\n  {a: 1, b: 2}\n]',
    )
    expect(text(`<d:conditional><d:if>${lit('a')}</d:if><d:then>${lit('1')}</d:then><d:else>${lit('2')}</d:else></d:conditional>`)).toBe(
      'if a\nthen 1\nelse 2',
    )
    expect(text(`<d:filter><d:in>${lit('all')}</d:in><d:match>${lit('item &gt; 1')}</d:match></d:filter>`)).toBe('all[item > 1]')
    expect(text(`<d:for iteratorVariable="i"><d:in>${lit('all')}</d:in><d:return>${lit('i + 1')}</d:return></d:for>`)).toBe(
      'for i in all return i + 1',
    )
    expect(text(`<d:every iteratorVariable="i"><d:in>${lit('all')}</d:in><d:satisfies>${lit('i &gt; 1')}</d:satisfies></d:every>`)).toBe(
      'every i in all satisfies i > 1',
    )
    expect(text(`<d:functionDefinition><d:formalParameter name="n" typeRef="number"/>${lit('n * 2')}</d:functionDefinition>`)).toBe(
      'function(n: number) n * 2',
    )
  })
  it('is told in parts where a table lies within it', () => {
    const of = readModel(
      decision(
        `<d:context><d:contextEntry><d:variable name="a"/>${lit('1')}</d:contextEntry><d:contextEntry><d:variable name="t"/><d:decisionTable id="inner" hitPolicy="FIRST"><d:output name="o"/><d:rule><d:description>as before</d:description><d:outputEntry><d:text>a</d:text></d:outputEntry></d:rule></d:decisionTable></d:contextEntry></d:context>`,
      ),
      'x',
    )!.logic[0]!.of!
    expect(of).toMatchObject({
      kind: 'parts',
      parts: [
        { label: 'a', of: { kind: 'text', text: '1' } },
        { label: 't', of: { kind: 'table', id: 'inner', rules: [{ outputs: ['a'], annotations: ['as before'] }] } },
      ],
    })
  })
})

describe('allowed values', () => {
  it('are a choice where each is a text or a number', () => {
    expect(allowed('"a", "b, c",3')).toEqual(['a', 'b, c', 3])
    expect(allowed('')).toBeUndefined()
    expect(allowed('[1..3]')).toBeUndefined()
    expect(allowed('"a", > 3')).toBeUndefined()
  })
})
