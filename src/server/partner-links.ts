/**
 * The links to partners (ADR 14), kept in the main thread: shards hand in what is theirs, and are told what to send, what
 * to answer and who is there. What becomes of a link is logged once each time that it changes.
 */

import type { Host } from '../core/host.ts'
import type { Instant } from '../core/time.ts'
import { later } from '../core/time.ts'
import { PartnerLink, type PartnerMismatch, type PartnerOutput, silenceMs } from '../turn/partner/link.ts'
import type { PartnerOptions } from '../turn/partner/options.ts'
import type { Log } from './log.ts'
import type { PartnerInput, PartnerOrder } from './shard.ts'

interface Line {
  readonly options: PartnerOptions
  readonly link: PartnerLink
  /** When it is told that nobody has answered yet; undefined once it has been, or somebody has. */
  patienceUntil: Instant | undefined
}

const mismatches: Readonly<Record<PartnerMismatch, string>> = {
  ports:
    'no pair with the partner: its two ports are others; give both the same --listen port and --alternate-port',
  family:
    'no pair with the partner: its address is of the other family; --advertise names the right one there',
  'own-address':
    'what comes from the partner has our own address in it: is --partner this server, or --advertise the same at both?',
}

export class PartnerLinks {
  readonly #lines: readonly Line[]
  readonly #host: Host
  readonly #log: Log
  readonly #order: (order: PartnerOrder) => void
  #cancelTimer: () => void = () => {}
  #isClosed = false

  constructor(
    partners: readonly PartnerOptions[],
    host: Host,
    log: Log,
    order: (order: PartnerOrder) => void,
  ) {
    const now = host.clock.now()
    this.#host = host
    this.#log = log
    this.#order = order
    this.#lines = partners.map((options) => {
      const link = new PartnerLink(options, host.random, now)
      return { options, link, patienceUntil: later(now, silenceMs) }
    })
  }

  /** For each partner by name: whether it is there. */
  get states(): readonly { readonly partner: string; readonly isUp: boolean }[] {
    return this.#lines.map(({ options, link }) => ({ partner: `${options.remote[0]}`, isUp: link.isUp }))
  }

  start(): void {
    if (this.#lines.length > 0) this.#tick()
  }

  /** What an engine has got for one of them. */
  handle(input: PartnerInput): void {
    const line = this.#lines[input.link]
    if (line === undefined || this.#isClosed) return
    const now = this.#host.clock.now()
    if (input.type === 'partner-datagram') line.link.handleDatagram(input.lane, input.bytes, now)
    else line.link.forward(input.request, now)
    this.#drain(input.link, line)
  }

  setKeys(keys: readonly Uint8Array[]): void {
    for (const { link } of this.#lines) link.setKeys(keys)
    this.#order({ type: 'keys', keys })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelTimer()
  }

  #tick(): void {
    const now = this.#host.clock.now()
    for (const [index, line] of this.#lines.entries()) {
      line.link.handleTimeout(now)
      this.#drain(index, line)
      if (line.patienceUntil === undefined || now < line.patienceUntil) continue
      line.patienceUntil = undefined
      this.#log.warn('the partner does not answer: no behavior discovery until it does', nameOf(line))
    }
    const next = Math.min(...this.#lines.map(({ link }) => link.pollTimeout())) as Instant
    this.#cancelTimer = this.#host.clock.schedule(next, () => this.#tick())
  }

  #drain(index: number, line: Line): void {
    for (let output = line.link.poll(); output !== undefined; output = line.link.poll()) {
      this.#carryOut(index, line, output)
    }
  }

  #carryOut(link: number, line: Line, output: PartnerOutput): void {
    switch (output.type) {
      case 'send':
      case 'answer':
        this.#order({ ...output, link })
        return
      case 'up':
        line.patienceUntil = undefined
        this.#log.info('the partner is there: behavior discovery is served with it', {
          ...nameOf(line),
          otherAddress: `${output.partner[1]}`,
        })
        this.#order({ type: 'partner', link, addresses: output.partner })
        return
      case 'down':
        this.#log.warn('the partner is gone: no behavior discovery until it is back', nameOf(line))
        this.#order({ type: 'partner', link, addresses: undefined })
        return
      case 'mismatch':
        this.#log.error(mismatches[output.what], { ...nameOf(line), says: `${output.partner}` })
        return
    }
  }
}

function nameOf({ options }: Line): { partner: string } {
  return { partner: `${options.remote[0]}` }
}
