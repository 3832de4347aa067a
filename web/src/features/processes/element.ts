/** What a step of a process is told to do, read from its file. */
export interface Step {
  id: string
  name: string
  /** The kind, as BPMN names it: serviceTask, userTask. */
  kind: string
  /** The decision that it asks, by id. */
  decision: string
  /** The service that it calls, <plugin>/<service>/<action>. */
  service: string
  documentation: string
  facts: { name: string; value: string }[]
  inputs: { name: string; from: string; value: string }[]
}

const prefix = 'plugin:'

export function readStep(xml: string, id: string): Step | undefined {
  const doc = new DOMParser().parseFromString(xml, 'application/xml')
  const e = [...doc.getElementsByTagName('*')].find((x) => x.getAttribute('id') === id && !/^BPMN/.test(x.localName))
  if (!e) return undefined
  const own = (name: string) => [...e.children].filter((c) => c.localName === name)
  const extensions = own('extensionElements').flatMap((x) => [...x.querySelectorAll('*')])
  const of = (name: string) => extensions.filter((x) => x.localName === name)
  const at = (x: Element | undefined, name: string) => x?.getAttribute(name) ?? ''
  const type = at(of('taskDefinition')[0], 'type')

  const facts: Step['facts'] = []
  const tell = (name: string, value: string) => value && facts.push({ name, value })
  tell('bind', at(of('bind')[0], 'path'))
  tell('risk', at(of('risk')[0], 'level'))
  tell('retries', at(of('taskDefinition')[0], 'retries'))
  const loop = own('multiInstanceLoopCharacteristics')[0]
  tell(
    'collection',
    at(
      loop?.querySelector('*') ? [...loop.querySelectorAll('*')].find((x) => x.localName === 'loopCharacteristics') : undefined,
      'inputCollection',
    ),
  )
  for (const event of ['timerEventDefinition', 'messageEventDefinition', 'errorEventDefinition'])
    tell('event', own(event)[0]?.textContent.trim() ?? '')
  tell('condition', own('conditionExpression')[0]?.textContent.trim() ?? '')
  const inputs = of('input').map((x) => ({
    name: at(x, 'name') || at(x, 'target'),
    from: at(x, 'from') || (at(x, 'source') ? 'feel' : ''),
    value: at(x, 'value') || at(x, 'source'),
  }))
  return {
    id,
    name: e.getAttribute('name') ?? '',
    kind: e.localName,
    service: type.startsWith(prefix) ? type.slice(prefix.length) : '',
    decision: at(of('calledDecision')[0], 'decisionId'),
    documentation: own('documentation')[0]?.textContent.trim() ?? '',
    facts,
    inputs,
  }
}
