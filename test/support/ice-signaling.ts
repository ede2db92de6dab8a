/**
 * A signaling channel between two ICE transports: ordered, reliable, with a delay. Offers come from the first side only,
 * one at a time, as in a negotiation where the other side is the polite one; it asks for a restart when it wants one.
 */

import type { IceSide } from './ice-world.ts'

export class SignalingChannel {
  readonly #a: IceSide
  readonly #b: IceSide
  readonly #delayMs: number
  /** The last fragment that each side was told. */
  readonly #knows = new Map<IceSide, string>()
  #isOffering = false
  #wantsRestart = false

  constructor(a: IceSide, b: IceSide, delayMs: number) {
    this.#a = a
    this.#b = b
    this.#delayMs = delayMs
    for (const side of [a, b]) {
      side.onEvent = (event) => {
        if (event.type === 'local-candidate') {
          const candidate = { ...event.candidate, ufrag: event.ufrag }
          this.#deliver(side, (other) => other.transport.addRemoteCandidate(candidate, event.stream))
        } else if (event.type === 'end-of-candidates') {
          const { ufrag } = event
          this.#deliver(side, (other) => {
            if (this.#knows.get(other) === ufrag) other.transport.endOfRemoteCandidates()
          })
        }
      }
    }
  }

  offer(): void {
    this.#isOffering = true
    this.#describe(this.#a, () =>
      this.#describe(this.#b, () => {
        this.#isOffering = false
        if (this.#wantsRestart) this.#restart()
      }),
    )
  }

  restart(side: IceSide): void {
    if (side === this.#a) this.#restart()
    else this.#deliver(side, () => this.#restart())
  }

  #restart(): void {
    this.#wantsRestart = this.#isOffering
    if (this.#isOffering) return
    this.#a.transport.restart()
    this.offer()
  }

  #describe(side: IceSide, then: () => void): void {
    const description = side.transport.localDescription
    this.#deliver(side, (other) => {
      this.#knows.set(other, description.ufrag)
      other.transport.connect(description)
      then()
    })
  }

  #deliver(from: IceSide, action: (other: IceSide) => void): void {
    const other = this.#a === from ? this.#b : this.#a
    const { internet } = from.world
    internet.at(internet.now + this.#delayMs, () => {
      if (other.state !== 'closed') action(other)
    })
  }
}
