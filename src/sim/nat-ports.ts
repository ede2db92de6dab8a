/** Which external port a new mapping gets: RFC 4787 §4.2. */

import type { SeededRandom } from './seeded-random.ts'

export interface PortOptions {
  /**
   * `preserved` keeps the inner port while it is free, and is random otherwise. `overloaded` always keeps it, so
   * that two inner endpoints may share one (RFC 4787 §4.2.1 "port overloading").
   */
  readonly ports: 'preserved' | 'sequential' | 'random' | 'overloaded'
  /** An even port stays even, an odd one odd (§4.2.2). */
  readonly parity: boolean
  readonly portRange: readonly [min: number, max: number]
}

export class PortChooser {
  readonly #options: PortOptions
  readonly #random: SeededRandom
  #next: number

  constructor(options: PortOptions, random: SeededRandom) {
    const [min, max] = options.portRange
    this.#options = options
    this.#random = random
    this.#next = min + random.below(Math.max(1, (max - min) >> 1))
  }

  /** A port for which `isFree` says yes; undefined when there is none. */
  choose(innerPort: number, isFree: (port: number) => boolean, mayPreserve: boolean): number | undefined {
    const { ports, parity, portRange } = this.#options
    const [min, max] = portRange
    if (ports === 'overloaded') return innerPort
    if (ports === 'preserved' && mayPreserve && innerPort >= min && innerPort <= max && isFree(innerPort)) {
      return innerPort
    }
    const fits = (port: number) => (!parity || (port & 1) === (innerPort & 1)) && isFree(port)
    let port = ports === 'sequential' ? this.#next : min + this.#random.below(max - min + 1)
    for (let tried = min; tried <= max; tried++) {
      if (port > max) port = min
      if (fits(port)) {
        this.#next = port + 1
        return port
      }
      port++
    }
    return undefined
  }
}
