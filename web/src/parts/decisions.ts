import { writeExact } from '@/api/exact'
import type { Json } from '@/ui/paths'

/** What an evaluation did, as the server tells it: a decision or a business knowledge model with its value, the tables it looked at, and what it called. */
export interface TraceStep {
  kind: string
  name: string
  id?: string
  value: unknown
  omitted?: boolean
  tables?: TraceTable[]
  steps?: TraceStep[]
}
export interface TraceTable {
  id?: string
  line: number
  inputs: { label: string; value: unknown }[]
  rules: { number: number; id?: string; annotations?: string[] }[]
}

/** Every step of a trace, the inner ones before what used them, each with its depth; the root has no name. */
export function traceSteps(trace: unknown): { step: TraceStep; depth: number }[] {
  const out: { step: TraceStep; depth: number }[] = []
  const walk = (s: TraceStep, depth: number) => {
    if (s.name) out.push({ step: s, depth })
    for (const inner of s.steps ?? []) walk(inner, s.name ? depth + 1 : depth)
  }
  if (trace && typeof trace === 'object') walk(trace as TraceStep, 0)
  return out
}

/** A value on one line: texts with quotes, as FEEL and JSON write them. */
export const valueText = (value: unknown) => writeExact((value ?? null) as Json)

export const decisionPath = (decision: string, version?: number) =>
  `/decisions/${encodeURIComponent(decision)}${version ? `?version=${version}` : ''}`
