import { describe, expect, it, vi } from 'vitest'
import { listenForPalette, onPalette, takeTyped } from './keys'

const press = (key: string, more: KeyboardEventInit = {}) => {
  const e = new KeyboardEvent('keydown', { key, cancelable: true, ...more })
  dispatchEvent(e)
  return e.defaultPrevented
}

describe('the key of the palette', () => {
  listenForPalette()
  it('is kept until there is a palette, with what is typed after it', () => {
    expect(press('a'), 'other keys are left alone').toBe(false)
    expect(press('k', { ctrlKey: true })).toBe(true)
    for (const k of ['w', 'e', 'x', 'Backspace', 'b']) expect(press(k)).toBe(true)
    const open = vi.fn()
    onPalette(open)
    expect(open).toHaveBeenCalledOnce()
    expect(takeTyped()).toEqual({ text: 'web', entered: false })
    expect(press('c'), 'from then on the field has the keys').toBe(false)
    press('K', { metaKey: true })
    expect(open).toHaveBeenCalledTimes(2)
    expect(takeTyped()).toEqual({ text: '', entered: false })
  })
  it('is kept up to the Enter that takes what it finds', () => {
    press('k', { ctrlKey: true })
    for (const k of ['r', 'u', 'n', 's', 'Enter', 'x']) expect(press(k)).toBe(true)
    expect(takeTyped()).toEqual({ text: 'runs', entered: true })
    expect(press('Enter'), 'the next one is for the page').toBe(false)
  })
  it('is taken back by Escape', () => {
    press('k', { ctrlKey: true })
    press('x')
    press('Enter')
    press('Escape')
    expect(takeTyped()).toEqual({ text: '', entered: false })
  })
})
