import { useQuery } from '@tanstack/vue-query'
import { computed, type Ref } from 'vue'
import { base } from '@/api/base'
import { ask, client, type Schemas } from '@/api/client'
import { Problem } from '@/api/problem'
import { useSession } from '@/app/session'

/** Whether a process was made for the call of a single service. */
export const isCall = (process: string) => process.startsWith('call-')

export const processXMLAddress = (project: string, process: string, version: number) =>
  `${base}api/v1/processes/${encodeURIComponent(process)}/${version}/xml?project=${encodeURIComponent(project)}`

/** The file of a version; it never changes. */
export function useProcessXML(process: Ref<string | undefined>, version: Ref<number | undefined>) {
  const session = useSession()
  return useQuery({
    queryKey: computed(() => ['processes', session.project, process.value, version.value, 'xml']),
    queryFn: async ({ signal }) => {
      const answer = await fetch(processXMLAddress(session.project, process.value!, version.value!), { signal })
      if (!answer.ok) throw await Problem.of(answer)
      return answer.text()
    },
    enabled: computed(() => !!process.value && !!version.value),
    staleTime: Infinity,
  })
}

export type Need = Schemas['ProcessNeed']

/** What a start of a version should give. */
export function useProcessInputs(process: Ref<string | undefined>, version: Ref<number | undefined>) {
  const session = useSession()
  return useQuery({
    queryKey: computed(() => ['processes', session.project, process.value, version.value, 'inputs']),
    queryFn: () =>
      ask(
        client.GET('/api/v1/processes/{process}/{version}/inputs', {
          params: { path: { process: process.value!, version: version.value! }, query: { project: session.project } },
        }),
      ),
    enabled: computed(() => !!process.value && !!version.value),
  })
}

const bpmn = 'http://www.omg.org/spec/BPMN/20100524/MODEL'

/** What its author says about a process. */
export function documentation(xml: string): string {
  if (!xml) return ''
  const process = new DOMParser().parseFromString(xml, 'application/xml').getElementsByTagNameNS(bpmn, 'process')[0]
  const own = [...(process?.children ?? [])].find((e) => e.localName === 'documentation')
  return own?.textContent.trim() ?? ''
}
