import { shallowRef, triggerRef } from 'vue'
import { bare, isPlain, pieces, plain, type Style } from './ansi'

export interface Gap {
  /** How many bytes are missing here. */
  gap: number
}

export type Entry = string | Gap

export const isGap = (e: Entry | undefined): e is Gap => typeof e === 'object'

/**
 * Output as it arrives: lines are only ever added. Each is a part of the chunk
 * that it came in, which the engine shares rather than copies.
 */
export class LogStore {
  private entries: Entry[] = []
  /** The last line is still being written. */
  private loose = false
  private carried = new Map<number, Style>()
  private style: Style = plain
  // Where chunks begin, and when each came: two lists, since there are far fewer chunks than lines.
  private starts: number[] = []
  private times: number[] = []
  /** The longest line so far, in characters. */
  longest = 0
  bytes = 0
  /** Changes whenever something was added. */
  readonly version = shallowRef({ lines: 0 })

  get length(): number {
    return this.entries.length
  }

  append(chunk: string, at?: number | string | Date): void {
    if (!chunk) return
    this.bytes += chunk.length
    const fresh = this.entries.length
    let from = 0
    if (this.loose) from = this.finish(chunk)
    if (from < chunk.length) {
      if (at !== undefined) this.note(this.entries.length, new Date(at).getTime())
      this.split(chunk, from)
    }
    if (this.entries.length !== fresh || from) this.tell()
  }

  /** Marks that output is missing here. */
  gap(bytes: number): void {
    this.close()
    this.entries.push({ gap: bytes })
    this.tell()
  }

  clear(): void {
    this.entries = []
    this.carried.clear()
    this.starts = []
    this.times = []
    this.style = plain
    this.loose = false
    this.longest = this.bytes = 0
    this.tell()
  }

  entry(i: number): Entry | undefined {
    return this.entries[i]
  }

  /** A line without its colours. */
  text(i: number): string {
    const e = this.entries[i]
    return e === undefined || isGap(e) ? '' : bare(e)
  }

  /** The look with which a line begins, left by those before it. */
  styleAt(i: number): Style {
    return this.carried.get(i) ?? plain
  }

  /** When the chunk of a line came, in milliseconds. */
  timeAt(i: number): number | undefined {
    let low = 0
    let high = this.starts.length
    while (low < high) {
      const mid = (low + high) >> 1
      if (this.starts[mid]! <= i) low = mid + 1
      else high = mid
    }
    return this.times[low - 1]
  }

  *lines(from = 0, to = this.length): Generator<string> {
    for (let i = from; i < to; i++) {
      const e = this.entries[i]!
      yield isGap(e) ? '' : bare(e)
    }
  }

  private split(chunk: string, from: number) {
    for (let end = chunk.indexOf('\n', from); end >= 0; end = chunk.indexOf('\n', from)) {
      this.push(chunk.slice(from, end > from && chunk.charCodeAt(end - 1) === 13 ? end - 1 : end))
      this.done()
      from = end + 1
    }
    if (from < chunk.length) {
      this.push(chunk.slice(from))
      this.loose = true
    }
  }

  /** Goes on with the line that the last chunk left open; says how much of this chunk it took. */
  private finish(chunk: string): number {
    const last = this.entries.length - 1
    const end = chunk.indexOf('\n')
    const whole = (this.entries[last] as string) + chunk.slice(0, end < 0 ? chunk.length : end)
    this.entries[last] = end >= 0 && whole.endsWith('\r') ? whole.slice(0, -1) : whole
    this.longest = Math.max(this.longest, whole.length)
    if (end < 0) return chunk.length
    this.close()
    return end + 1
  }

  private push(line: string) {
    const i = this.entries.length
    if (!isPlain(this.style)) this.carried.set(i, this.style)
    this.entries.push(line)
    if (line.length > this.longest) this.longest = line.length
  }

  private close() {
    if (this.loose) this.done()
    this.loose = false
  }

  private done() {
    const line = this.entries[this.entries.length - 1]
    if (typeof line !== 'string') return
    const escape = line.lastIndexOf('\x1b')
    if (escape < 0) return
    // Most coloured lines end with a reset, after which nothing before it matters.
    if (line.startsWith('[0m', escape + 1) || line.startsWith('[m', escape + 1)) this.style = plain
    else this.style = pieces(line, this.style).end
  }

  private note(line: number, time: number) {
    if (Number.isNaN(time)) return
    if (this.starts.at(-1) === line) this.times[this.times.length - 1] = time
    else {
      this.starts.push(line)
      this.times.push(time)
    }
  }

  private tell() {
    this.version.value.lines = this.entries.length
    triggerRef(this.version)
  }
}
