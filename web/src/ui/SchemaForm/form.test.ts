import { mount } from '@vue/test-utils'
import { nextTick } from 'vue'
import { describe, expect, it } from 'vitest'
import { i18n } from '@/i18n'
import { fromLocal, toLocal } from './moment'
import { initial, kindOf, resolve, textIn, type Schema } from './schema'
import SchemaForm from './SchemaForm.vue'
import { validate } from './validate'

const schema: Schema = {
  type: 'object',
  required: ['name', 'count'],
  properties: {
    name: { type: 'string', title: { en: 'Name', zh: '名称' }, minLength: 2, pattern: '^[a-z]+$' },
    count: { type: 'integer', minimum: 1, maximum: 9, default: 3 },
    when: { type: 'string', format: 'date-time' },
    mode: { enum: ['fast', 'safe'], default: 'safe', 'x-enum-labels': { fast: { en: 'Fast', zh: '快' } } },
    token: { type: 'string', writeOnly: true },
    hosts: { type: 'array', items: { $ref: '#/$defs/host' }, maxItems: 2 },
    db: { type: 'object', required: ['url'], properties: { url: { type: 'string', format: 'uri' } } },
    target: { type: 'string', 'x-object-type': 'net:host' },
  },
  $defs: { host: { type: 'object', required: ['ip'], properties: { ip: { type: 'string' }, port: { type: 'integer', default: 22 } } } },
}

describe('a schema', () => {
  it('gives what a form starts with', () => {
    expect(initial(schema)).toEqual({ count: 3, mode: 'safe' })
    expect(initial({ type: 'array', minItems: 1, items: { $ref: '#/$defs/host' } }, schema)).toEqual([{ port: 22 }])
  })
  it('is followed, named and shown', () => {
    expect(resolve({ $ref: '#/$defs/host', title: 'H' }, schema)).toMatchObject({ title: 'H', type: 'object' })
    expect(textIn({ en: 'Name', zh: '名称' }, 'zh')).toBe('名称')
    expect([kindOf(schema.properties!.target!), kindOf({ type: 'object' }), kindOf({}), kindOf({ type: ['string', 'null'] })]).toEqual([
      'reference',
      'json',
      'json',
      'text',
    ])
  })
})

describe('validation', () => {
  const rules = (value: unknown) => validate(schema, value as never).map((f) => `${f.path}:${f.rule}`)
  it('names each fault at its path', () => {
    expect(rules({ count: 3 })).toEqual(['name:required'])
    expect(rules({ name: 'A', count: 12.5 })).toEqual(['name:minLength', 'name:pattern', 'count:integer', 'count:maximum'])
    expect(rules({ name: 'ok', count: 'x' })).toEqual(['count:type'])
    expect(rules({ name: 'ok', count: 1, hosts: [{ port: 1 }, { ip: 'a' }, { ip: 'b' }] })).toEqual([
      'hosts:maxItems',
      'hosts[0].ip:required',
    ])
    expect(rules({ name: 'ok', count: 1, db: {} })).toEqual(['db.url:required'])
    expect(rules({ name: 'ok', count: 1, mode: 'odd' })).toEqual(['mode:enum'])
  })
  it('knows formats', () => {
    const says = (format: string, v: string) => validate({ type: 'string', format }, v).length === 0
    expect([
      says('date', '2026-02-28'),
      says('date', '2026-02-30'),
      says('duration', 'PT1H30M'),
      says('duration', 'P'),
      says('duration', 'PT'),
      says('uri', 'https://x'),
      says('uri', 'x y'),
      says('date-time', '2026-01-01T10:00:00+08:00'),
      says('time', '25:00'),
    ]).toEqual([true, false, true, false, false, true, false, true, false])
  })
  it('takes an instant back and forth', () => {
    expect(Date.parse(fromLocal(toLocal('2026-03-04T05:06:07Z')))).toBe(Date.parse('2026-03-04T05:06:07Z'))
  })
})

describe('a form', () => {
  const form = (props: Record<string, unknown> = {}) =>
    mount(SchemaForm, {
      props: { schema, modelValue: initial(schema), ...props },
      global: { plugins: [i18n] },
      slots: { reference: '<template #reference="p"><button :id="p.id" @click="p.set(\'h7\')">{{ p.type }}</button></template>' },
      attachTo: document.body,
    })

  it('holds plain JSON', async () => {
    const view = form()
    await view.get('input').setValue('web')
    expect(view.emitted('update:modelValue')!.at(-1)).toEqual([{ count: 3, mode: 'safe', name: 'web' }])
    expect(view.text()).toContain('net:host')
    view.unmount()
  })
  it('says what is wrong once a field was left, or the form is sent', async () => {
    const view = form()
    expect(view.find('[aria-invalid=true]').exists()).toBe(false)
    await view.get('input').trigger('focusout')
    expect(view.get('input').attributes('aria-invalid')).toBe('true')
    expect(await (view.vm as unknown as { check: () => Promise<boolean> }).check()).toBe(false)
    await nextTick()
    expect(document.activeElement?.getAttribute('aria-invalid')).toBe('true')
    view.unmount()
  })
  it('shows the refusals of the server at their fields', async () => {
    const view = form({
      modelValue: { name: 'ok', count: 1, hosts: [{ ip: 'x' }] },
      prefix: 'variables',
      problems: [
        { path: 'variables.count', message: 'too many' },
        { path: 'variables.hosts.0.ip', message: 'unknown host' },
      ],
    })
    expect(view.text()).toContain('too many')
    expect(view.text()).toContain('unknown host')
    view.unmount()
  })
  it('adds, moves and removes entries', async () => {
    const view = form({ modelValue: { name: 'ok', count: 1, hosts: [{ ip: 'a' }, { ip: 'b' }] } })
    const press = (label: RegExp) =>
      view
        .findAll('button')
        .find((b) => label.test(b.attributes('aria-label') ?? b.text()))!
        .trigger('click')
    await press(/Move down|下移/)
    expect((view.emitted('update:modelValue')!.at(-1) as [{ hosts: unknown }])[0].hosts).toEqual([{ ip: 'b' }, { ip: 'a' }])
    await press(/Remove entry 1|移除第 1 项/)
    expect((view.emitted('update:modelValue')!.at(-1) as [{ hosts: unknown }])[0].hosts).toEqual([{ ip: 'a' }])
    view.unmount()
  })
})
