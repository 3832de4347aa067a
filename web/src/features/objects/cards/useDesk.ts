import { computed, ref, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import type { Schemas } from '@/api/client'
import { useSession } from '@/app/session'
import { isDark } from '@/app/theme'
import { objectPath, splitRef, type Row } from '@/parts/objects'
import { useServices } from '@/parts/services'
import { Refusal } from './broker'

export type CardInfo = Schemas['PluginCard']

/** The colours by which a card looks like the console around it. */
const names = [
  '--bg',
  '--surface',
  '--sunken',
  '--raised',
  '--line',
  '--line-strong',
  '--text',
  '--muted',
  '--faint',
  '--accent',
  '--accent-hover',
  '--accent-soft',
  '--on-accent',
  '--ok',
  '--ok-soft',
  '--warn',
  '--warn-soft',
  '--bad',
  '--bad-soft',
  '--focus',
]

export interface Given {
  card: CardInfo
  object: string
  row: Row
  read: () => Promise<Row | undefined>
}

/** What the console does for the cards of plugins: on their own object, for their own plugin, and by the hand of a person. */
export function useDesk(of: Given, row: Ref<Row>, frame?: Ref<HTMLElement | undefined>) {
  const { locale } = useI18n()
  const router = useRouter()
  const session = useSession()
  const services = useServices()
  const calling = ref<string>()
  const mayCall = computed(() => session.can('run.start'))
  const { type } = splitRef(of.object)

  const look = computed(() => {
    const theme = isDark.value ? ('dark' as const) : ('light' as const)
    const style = getComputedStyle(document.documentElement)
    return { locale: locale.value, theme, tokens: Object.fromEntries(names.map((n) => [n, style.getPropertyValue(n).trim()])) }
  })
  const state = () => ({
    object: of.object,
    type,
    row: JSON.parse(JSON.stringify(row.value)) as Row,
    mayCall: mayCall.value,
    ...look.value,
  })

  /** A card in a frame does nothing by itself: somebody has pressed something just now, and in that frame. The frame may be of another process, whose news come a moment later. */
  async function byHand() {
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- browsers of before 2024 do not know it
    const pressed = () => !frame || (document.activeElement === frame.value && navigator.userActivation?.isActive !== false)
    for (let i = 0; i < 10 && !pressed(); i++) await new Promise((next) => setTimeout(next, 50))
    if (!pressed()) throw new Refusal('card.by_itself', 'this happens only when somebody asks for it')
  }
  return {
    look,
    state,
    calling,
    mayCall,
    desk: {
      read: async () => JSON.parse(JSON.stringify((await of.read()) ?? null)) as Row | null,
      // The dialog of the console asks the person, and the door decides.
      call: async (service: string, action: string) => {
        await byHand()
        const name = `${of.card.plugin}/${service}/${action}`
        if (!mayCall.value || services.find(name)?.action.target !== type)
          throw new Refusal('card.refused', `${name} cannot be called here`)
        calling.value = name
      },
      open: async (object: string) => {
        await byHand()
        const to = splitRef(object)
        await router.push(objectPath(to.type, to.id))
      },
    },
  }
}
