/** A screen that is written over: each time from where the last one began. */

import { widthOf } from './render.ts'

interface Output {
  readonly columns?: number
  write(text: string): unknown
}

export class LiveScreen {
  readonly #stream: Output
  #rows = 0

  constructor(stream: Output) {
    this.#stream = stream
  }

  /** `text` ends in a newline. A line that is wider than the terminal takes several rows of it. */
  show(text: string): void {
    this.#stream.write(`${this.#back()}${text}`)
    const columns = this.#stream.columns ?? Number.POSITIVE_INFINITY
    const lines = text.split('\n').slice(0, -1)
    this.#rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0)
  }

  /** Takes it away, before the last word is said. */
  clear(): void {
    if (this.#rows > 0) this.#stream.write(this.#back())
    this.#rows = 0
  }

  #back(): string {
    return this.#rows === 0 ? '' : `\x1b[${this.#rows}A\r\x1b[J`
  }
}
