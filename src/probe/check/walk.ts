/** One attempt on its way through the steps: what was found so far, and what is wrong. */

import type { Problem } from '../report.ts'
import type { Run } from '../run.ts'
import { cures, type Fault, problemOf } from './cures.ts'
import type { Attempt } from './plan.ts'
import type { CertificateReport, EchoReport, Step, StepName, TransportReport } from './report.ts'
import { since } from './waiting.ts'

export class Walk {
  readonly attempt: Attempt
  readonly #run: Run
  readonly #steps: Step[] = []
  readonly #faults: Fault[] = []
  #isOffered = true
  certificate: CertificateReport | null = null
  software: string | null = null
  readonly relayed: { IPv4: string | null; IPv6: string | null } = { IPv4: null, IPv6: null }
  echo: EchoReport | null = null

  constructor(run: Run, attempt: Attempt) {
    this.attempt = attempt
    this.#run = run
    this.#steps.push({ step: 'resolve', ok: true, ms: attempt.resolveMs, code: null, detail: null })
  }

  /** Whether something was found that a client would stumble over. */
  get hasFailed(): boolean {
    return this.#faults.some(({ code }) => cures[code].severity === 'error')
  }

  passed(step: StepName, startMs: number, detail: string | null = null): void {
    this.#steps.push({ step, ok: true, ms: since(this.#run, startMs), code: null, detail })
  }

  /** Of no weight, or not known. */
  open(step: StepName, detail: string, code: number | null = null): void {
    this.#steps.push({ step, ok: null, ms: null, code, detail })
  }

  failed(step: StepName, startMs: number, fault: Fault, code: number | null = null): void {
    const { what } = problemOf(fault, this.#place)
    this.#steps.push({ step, ok: false, ms: since(this.#run, startMs), code, detail: what })
    this.#faults.push(fault)
  }

  /** Something to say that stops nothing. */
  note(fault: Fault): void {
    this.#faults.push(fault)
  }

  /** Nothing is there, or something else, which at a place that nobody named is no fault. */
  notOffered(): void {
    this.#isOffered = false
  }

  /** The run ended first, or there was no sense in going on. */
  cut(step: StepName): void {
    this.open(step, this.#run.isOver ? 'the run ended before' : 'no answer in time')
  }

  report(): TransportReport {
    const { uri, transport, address, isNamed } = this.attempt
    const isAbsent = !isNamed && !this.#isOffered
    return {
      uri,
      transport,
      address: `${address}`,
      port: address.port,
      isNamed,
      ok: this.#verdict(),
      steps: this.#steps,
      certificate: this.certificate,
      software: this.software,
      relayed: this.relayed,
      echo: this.echo,
      problems: isAbsent
        ? []
        : this.#faults.map((fault) => problemOf(fault, this.#place, this.#severity(fault))),
    }
  }

  #verdict(): boolean | null {
    // A host without a route says nothing of the server.
    if (this.#faults.some(({ code }) => code === 'no-route')) return null
    if (!this.attempt.isNamed && !this.#isOffered) return null
    if (this.hasFailed) return false
    return this.#steps.some(({ step, ok }) => step === 'echo' && ok === true) ? true : null
  }

  #severity({ code }: Fault): Problem['severity'] {
    return this.attempt.isNamed && code !== 'no-route' ? cures[code].severity : 'warning'
  }

  get #place(): { transport: Attempt['transport']; port: number; host: string } {
    const { transport, address, host } = this.attempt
    return { transport, port: address.port, host }
  }
}
