import { describe, expect, it } from 'vitest'
import { readStep } from './element'

const xml = `<?xml version="1.0"?><b:definitions xmlns:b="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:s="urn:sextant:bpmn:1">
<b:process id="p"><b:serviceTask id="check" name="Check the hosts"><b:documentation> Reads facts. </b:documentation><b:extensionElements>
<zeebe:taskDefinition type="plugin:host/facts/collect" retries="3"/><s:bind path=".host"/><s:input name="credential" from="feel" value="credential"/><s:risk level="read"/>
</b:extensionElements></b:serviceTask><b:userTask id="ask"/></b:process></b:definitions>`

describe('a step of a process', () => {
  it('tells what it calls, on what and with what', () => {
    expect(readStep(xml, 'check')).toEqual({
      id: 'check',
      name: 'Check the hosts',
      kind: 'serviceTask',
      service: 'host/facts/collect',
      decision: '',
      documentation: 'Reads facts.',
      facts: [
        { name: 'bind', value: '.host' },
        { name: 'risk', value: 'read' },
        { name: 'retries', value: '3' },
      ],
      inputs: [{ name: 'credential', from: 'feel', value: 'credential' }],
    })
  })
  it('tells which decision it asks', () => {
    const asks = xml.replace(
      '<b:userTask id="ask"/>',
      '<b:businessRuleTask id="ask"><b:extensionElements><zeebe:calledDecision decisionId="risk" resultVariable="r"/></b:extensionElements></b:businessRuleTask>',
    )
    expect(readStep(asks, 'ask')).toMatchObject({ kind: 'businessRuleTask', decision: 'risk' })
  })
  it('tells little of a task for people, and nothing of what is not there', () => {
    expect(readStep(xml, 'ask')).toMatchObject({ kind: 'userTask', service: '', facts: [], inputs: [] })
    expect(readStep(xml, 'none')).toBeUndefined()
  })
})
