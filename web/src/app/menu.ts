import type { Component } from 'vue'

/** The groups of the menu: the six dimensions, with objects, tasks and the system beside them. */
export type Group = 'work' | 'objects' | 'design' | 'execute' | 'monitor' | 'adjust' | 'collaborate' | 'system'

export interface MenuEntry {
  to: string
  group: Group
  order: number
  labelKey: string
  icon: Component
  permission?: string
  /** How many there are of what the page shows; an entry with 0 and hideEmpty is left out. */
  count?: 'runs' | 'incidents' | 'tasks'
  hideEmpty?: boolean
}

const files = import.meta.glob<{ default: MenuEntry[] }>('../features/*/menu.ts', { eager: true })

export const groups: Group[] = ['work', 'objects', 'design', 'execute', 'monitor', 'adjust', 'collaborate', 'system']

export const menu: MenuEntry[] = Object.values(files)
  .flatMap((f) => f.default)
  .sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group) || a.order - b.order)
