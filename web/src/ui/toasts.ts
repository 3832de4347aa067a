import { reactive } from 'vue'
import { problemOf } from '@/api/problem'

export interface Toast {
  id: number
  tone: 'ok' | 'bad' | 'run'
  text: string
  cause?: unknown
  to?: { label: string; path: string }
}

export const toasts = reactive<Toast[]>([])
let next = 1

function show(t: Omit<Toast, 'id'>, ms: number) {
  const id = next++
  toasts.push({ ...t, id })
  if (ms) setTimeout(() => dismiss(id), ms)
}

export function dismiss(id: number) {
  const i = toasts.findIndex((t) => t.id === id)
  if (i >= 0) toasts.splice(i, 1)
}

/** Says that something was done; an error stays until somebody has read it. */
export const toast = {
  ok: (text: string, to?: Toast['to']) => show({ tone: 'ok', text, to }, 6000),
  info: (text: string, to?: Toast['to']) => show({ tone: 'run', text, to }, 6000),
  error: (cause: unknown) => show({ tone: 'bad', text: problemOf(cause).title, cause }, 0),
}
