import { parser, trackVariables } from '@bpmn-io/lezer-feel'
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionSource } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { json } from '@codemirror/lang-json'
import { bracketMatching, indentOnInput, LanguageSupport, LRLanguage, syntaxHighlighting } from '@codemirror/language'
import { lintKeymap } from '@codemirror/lint'
import { EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view'
import { wordBefore, type Complete, type Language } from './language'
import { highlight, theme } from './theme'

export function language(of: Language, names: Record<string, unknown> = {}): Extension {
  if (of === 'json') return json()
  if (of === 'plain') return []
  const feel = parser.configure({ top: of === 'feel-unary' ? 'UnaryTests' : 'Expression', contextTracker: trackVariables(names) })
  return new LanguageSupport(
    LRLanguage.define({
      name: 'feel',
      parser: feel,
      languageData: {
        commentTokens: { line: '//', block: { open: '/*', close: '*/' } },
        closeBrackets: { brackets: ['(', '[', '{', '"'] },
      },
    }),
  )
}

/** Asks the feature what may stand at the cursor. */
export function completion(complete: () => Complete | undefined): Extension {
  const source: CompletionSource = async (context) => {
    const ask = complete()
    if (!ask) return null
    const text = context.state.doc.toString()
    const before = text.slice(0, context.pos)
    const word = wordBefore(before)
    if (!word && !context.explicit && !before.endsWith('.')) return null
    const options = await ask({ text, before, word, offset: context.pos })
    if (!options.length) return null
    return {
      from: context.pos - word.length,
      options: options.map((o) => ({ label: o.label, apply: o.apply, detail: o.detail, info: o.info, type: o.kind })),
      validFor: /^[\p{L}\p{N}_$-]*$/u,
    }
  }
  return autocompletion({ override: [source], icons: false })
}

export const submit = (act: () => void): Extension => keymap.of([{ key: 'Mod-Enter', run: () => (act(), true) }])

/** What every editor has. The tab key leaves it, so that nobody is caught. */
export function base(options: { lineNumbers: boolean }): Extension {
  return [
    options.lineNumbers ? [lineNumbers(), highlightActiveLineGutter(), highlightActiveLine()] : [],
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    EditorView.lineWrapping,
    EditorState.tabSize.of(2),
    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap]),
    syntaxHighlighting(highlight),
    theme,
  ]
}
