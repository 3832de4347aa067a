import { serverNow } from '@/api/clock'
import { onScopeDispose, ref, type Ref } from 'vue'

interface Clock {
  now: Ref<number>
  users: number
  timer?: ReturnType<typeof setInterval>
}
const clocks = new Map<number, Clock>()

/** The time as the server has it, renewed every few milliseconds for as long as somebody looks: all who look are renewed together. */
export function useNow(every = 5000): Readonly<Ref<number>> {
  const clock = clocks.get(every) ?? { now: ref(serverNow()), users: 0 }
  clocks.set(every, clock)
  if (clock.users++ === 0) {
    clock.now.value = serverNow()
    clock.timer = setInterval(() => (clock.now.value = serverNow()), every)
  }
  onScopeDispose(() => {
    if (--clock.users === 0) clearInterval(clock.timer)
  })
  return clock.now
}
