import { useQueryClient } from '@tanstack/vue-query'
import { inject, provide, watch, type InjectionKey } from 'vue'
import { listen, type Stream } from '@/api/stream'
import { useSession } from './session'

interface News {
  id: string
  type: string
  subject: string
}

const key: InjectionKey<Stream> = Symbol('news')

/** Which lists an event makes old, by the beginning of its type. */
const concerns: Record<string, string[]> = {
  'sextant.run.': ['runs', 'incidents', 'tasks', 'locks'],
  'sextant.incident.': ['incidents', 'runs'],
  'sextant.task.': ['tasks', 'runs'],
  'sextant.object.': ['objects'],
  'sextant.process.': ['processes'],
  'sextant.decision.': ['decisions'],
  'sextant.plugin.': ['plugins', 'object-types'],
  'sextant.control.': ['stop'],
}

/** How long the stream may take to stand, in milliseconds, for its look back to reach far enough. */
const slack = 1000

/** Opens the one stream of the frame: what happens renews the lists that show it, so that nothing asks again and again. */
export function provideNews(): Stream {
  const queries = useQueryClient()
  const session = useSession()
  const old = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined
  const renew = () => {
    timer = undefined
    for (const name of old) void queries.invalidateQueries({ queryKey: [name] })
    old.clear()
  }
  const take = (data: unknown) => {
    const { type } = data as News
    for (const [start, names] of Object.entries(concerns)) if (type.startsWith(start)) for (const n of names) old.add(n)
    timer ??= setTimeout(renew, 400)
  }
  const opened = performance.now()
  // Lists that were read before the stream stands are told what they missed, as far back as the page goes.
  const ago = Math.min(60_000, Math.ceil(opened) + slack)
  const stream = listen(`/api/v1/news?project=${encodeURIComponent(session.project)}&ago=${ago}`, { news: take })
  let stood = false
  // What happened while the connection was lost is not told again to a list that was read before.
  watch(stream.state, (now, before) => {
    if (now !== 'live' || before === 'live') return
    if (stood || performance.now() - opened > slack) void queries.invalidateQueries()
    stood = true
  })
  provide(key, stream)
  return stream
}

export function useNews(): Stream {
  const stream = inject(key)
  if (!stream) throw new Error('the news are used outside of the frame')
  return stream
}
