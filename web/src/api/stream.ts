import { onScopeDispose, ref, type Ref } from 'vue'
import { base } from './base'

/** live: events arrive; behind: the connection is being opened again, what is shown may be old; offline: it was given up. */
export type StreamState = 'live' | 'behind' | 'offline'

export interface Stream {
  state: Ref<StreamState>
  /** When the stream last showed a sign of life. */
  since: Ref<Date>
  close(): void
  retry(): void
}

const giveUpAfter = 60_000
/** The server pings every 15 seconds: a stream that is silent for longer than two pings is dead, whatever the browser says. */
const silentFor = 35_000

/**
 * Listens to server-sent events. The browser opens the connection again by
 * itself, with the id of the last event, so that nothing is missed.
 */
export function listen(path: string, handlers: Record<string, (data: unknown, id: string) => void>, done?: () => void): Stream {
  const state = ref<StreamState>('behind')
  const since = ref(new Date())
  let source: EventSource | undefined
  let lostAt = 0
  let last = ''
  let ended = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const open = () => {
    source?.close()
    const url = new URL(base.replace(/\/$/, '') + path, location.origin)
    if (last) url.searchParams.set('after', last)
    source = new EventSource(url)
    source.onopen = () => {
      state.value = 'live'
      since.value = new Date()
      lostAt = 0
    }
    source.onerror = () => lost()
    source.addEventListener('ping', () => (since.value = new Date()))
    for (const [event, handle] of Object.entries(handlers)) {
      source.addEventListener(event, (e) => {
        const message = e as MessageEvent<string>
        last = message.lastEventId || last
        since.value = new Date()
        if (event === 'end') {
          close()
          state.value = 'live'
        }
        handle(JSON.parse(message.data), message.lastEventId)
      })
    }
  }
  /** The network is gone, or nothing has come for too long: the connection is opened again. */
  const broken = () => {
    if (ended) return
    source?.close()
    lost()
  }
  const watch = setInterval(() => !ended && state.value === 'live' && Date.now() - since.value.getTime() > silentFor && broken(), 5000)
  const lost = () => {
    if (document.visibilityState === 'hidden' && source?.readyState !== EventSource.CLOSED) return
    lostAt ||= Date.now()
    state.value = Date.now() - lostAt > giveUpAfter ? 'offline' : 'behind'
    if (source?.readyState !== EventSource.CLOSED) return
    // A server that closed the stream for good, or one that is away.
    if (done && state.value === 'behind') done()
    clearTimeout(timer)
    if (state.value !== 'offline') timer = setTimeout(open, 2000 + Math.random() * 1000)
  }
  const close = () => {
    ended = true
    clearTimeout(timer)
    clearInterval(watch)
    removeEventListener('offline', broken)
    removeEventListener('online', retry)
    source?.close()
  }
  const retry = () => {
    if (ended) return
    lostAt = 0
    state.value = 'behind'
    clearTimeout(timer)
    open()
  }
  addEventListener('offline', broken)
  addEventListener('online', retry)
  open()
  onScopeDispose(close, true)
  return { state, since, close, retry }
}
