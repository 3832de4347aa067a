/** The documents that the help shows, below docs/, in the order in which they are read. */
export const pages = [
  'guide/first-ten-minutes.md',
  'guide/own-script-own-host.md',
  'guide/model-a-process.md',
  'guide/object-paths.md',
  'guide/decisions.md',
  'guide/workers.md',
  'operate/install.md',
  'operate/server.md',
  'operate/databases.md',
  'operate/users-and-roles.md',
  'operate/repair-a-run.md',
  'operate/recover.md',
  'operate/upgrade.md',
  'plugin-authors/write-a-plugin.md',
  'reference/settings.md',
  'reference/manifest.md',
  'reference/api.md',
  'reference/cli.md',
  'reference/feel.md',
  'reference/errors.md',
  'reference/events.md',
  'reference/security-cases.md',
] as const

/** The documents that there are in Chinese too, beside the English ones. */
export const inChinese: readonly string[] = [
  'guide/first-ten-minutes.md',
  'guide/own-script-own-host.md',
  'guide/model-a-process.md',
  'operate/users-and-roles.md',
  'operate/repair-a-run.md',
]

/** The file of a document in a language; in English where it is not translated. */
export const fileOf = (page: string, locale: string) =>
  locale === 'zh' && inChinese.includes(page) ? page.replace(/\.md$/, '.zh-CN.md') : page

/** What a document is called in the list: the end of its key. */
export const titleKey = (page: string) => page.replace(/[/.]/g, '_')
