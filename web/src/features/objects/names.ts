import { grouped } from '@/ui/intl'

const most = 100

/** Which objects are meant, as far as somebody would read. */
export function idsText(ids: string[], t: (key: string, fill: object) => string): string {
  const some = ids.slice(0, most).join(', ')
  return ids.length > most ? `${some} ${t('objects.andMore', { n: grouped(ids.length - most) })}` : some
}
