import type { Tone } from '@/ui/Badge.vue'

const words: Record<string, Tone> = {}
const say = (tone: Tone, text: string) => text.split(' ').forEach((w) => (words[w] = tone))
say('ok', 'up ok healthy running active ready online enabled succeeded done available green live')
say('bad', 'down failed error broken unhealthy dead offline critical lost red')
say('warn', 'degraded warning stopped draining maintenance stale yellow paused')
say('run', 'starting stopping pending deploying updating building new creating')

const rest: Tone[] = ['hold', 'run', 'idle']

/** The colour of a value of a state: by its word where that says something, else one that tells it from its neighbours. */
export function toneOf(value: string, place = 0): Tone {
  if (!value || value === 'unknown') return 'idle'
  return words[value.toLowerCase()] ?? rest[place % rest.length]!
}
