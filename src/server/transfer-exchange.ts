/** Passes reservations and mobile allocations from the shard that has them to the one that their client has come to. */

import type { PortMemory } from '../turn/port-pool.ts'
import { releasePortOf } from '../turn/port-pool.ts'
import type { PortRange, RelayAddress } from '../turn/relay-address.ts'
import { type FetchAnswer, portsOf, type TransferKey, type Transferred } from '../turn/transfer-items.ts'
import type { QuotaLedger, QuotaMember } from './quota-ledger.ts'

export interface ExchangeMember {
  readonly quota: QuotaMember
  /** Hand it over to that engine: the answer goes to `given` with the number of the question. */
  give(question: number, key: TransferKey, engine: number): void
  fetched(id: number, answer: FetchAnswer): void
}

interface Question {
  readonly asker: number
  /** As the asker knows it. */
  readonly id: number
  readonly owner: number
}

/** What ports are of, for those that are handed over to nobody. */
export interface ExchangePorts {
  readonly relays: readonly RelayAddress[]
  readonly range: PortRange
  readonly memory: readonly PortMemory[]
}

export class TransferExchange {
  readonly #ledger: QuotaLedger
  readonly #ports: ExchangePorts
  readonly #members = new Map<number, ExchangeMember>()
  readonly #questions = new Map<number, Question>()
  #nextQuestion = 0

  constructor(ledger: QuotaLedger, ports: ExchangePorts) {
    this.#ledger = ledger
    this.#ports = ports
  }

  join(engine: number, member: ExchangeMember): void {
    this.#members.set(engine, member)
  }

  /** The engine is gone: what it was asked for is nowhere. */
  leave(engine: number): void {
    this.#members.delete(engine)
    for (const [number, { owner }] of [...this.#questions])
      if (owner === engine) this.given(number, undefined)
  }

  fetch(asker: number, id: number, owner: number, key: TransferKey): void {
    const member = this.#members.get(owner)
    if (member === undefined) {
      this.#members.get(asker)?.fetched(id, undefined)
      return
    }
    const question = this.#nextQuestion++
    this.#questions.set(question, { asker, id, owner })
    member.give(question, key, asker)
  }

  given(number: number, answer: FetchAnswer): void {
    const question = this.#questions.get(number)
    if (question === undefined) return
    this.#questions.delete(number)
    const asker = this.#members.get(question.asker)
    const owner = this.#members.get(question.owner)
    const item = answer === undefined || answer.kind === 'refused' ? undefined : answer
    if (asker === undefined) {
      if (item !== undefined) this.#lose(item, question, owner)
      return
    }
    if (item !== undefined && owner !== undefined) this.#ledger.move(owner.quota, asker.quota, item.userId, 1)
    asker.fetched(question.id, answer)
  }

  /** It was handed over to a shard that is no more. */
  #lose(item: Transferred, { asker }: Question, owner: ExchangeMember | undefined): void {
    if (owner !== undefined) this.#ledger.giveBack(owner.quota, item.userId, 1)
    const { relays, range, memory } = this.#ports
    for (const local of portsOf(item)) {
      const relay = relays.findIndex(({ address }) => address.equals(local.withPort(0)))
      const ports = memory[relay]
      if (ports !== undefined) releasePortOf(ports, local.port - range.min, asker)
    }
  }
}
