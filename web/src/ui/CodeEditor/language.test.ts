import { describe, expect, it } from 'vitest'
import { EditorState } from '@codemirror/state'
import { ensureSyntaxTree } from '@codemirror/language'
import { language } from './extensions'
import { span, wordBefore } from './language'

const at = (line: number, column: number, more = {}) => ({ line, column, message: 'm', severity: 'error' as const, ...more })

describe('a diagnostic', () => {
  it('marks the word at its place, and stays within the text', () => {
    const text = 'a + b\nfoo bar'
    expect(span(text, at(2, 5))).toEqual({ from: 10, to: 13 })
    expect(span(text, at(1, 3))).toEqual({ from: 2, to: 3 })
    expect(span(text, at(9, 99))).toEqual({ from: 13, to: 13 })
    expect(span(text, at(1, 1, { endLine: 2, endColumn: 4 }))).toEqual({ from: 0, to: 9 })
  })
})

describe('the word before the cursor', () => {
  it('begins after a dot', () => {
    expect([wordBefore('run.inp'), wordBefore('a + '), wordBefore('合计')]).toEqual(['inp', '', '合计'])
  })
})

describe('FEEL', () => {
  it('is read with its names', () => {
    const state = EditorState.create({ doc: 'order total > 10', extensions: [language('feel', { 'order total': 3 })] })
    const read = (s: EditorState) => String(ensureSyntaxTree(s, s.doc.length, 10_000))
    const tree = read(state)
    expect(tree).toContain('Comparison')
    expect(tree).not.toContain('⚠')
    expect(read(EditorState.create({ doc: '> 10', extensions: [language('feel-unary')] }))).not.toContain('⚠')
  })
})
