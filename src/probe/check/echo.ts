/** Packets sent into a relay and awaited behind it: how long each took, and how many got lost. */

import type { Instant } from '../../core/time.ts'
import { isSameBytes } from '../../stun/bytes.ts'
import type { Run } from '../run.ts'
import { summarize } from '../statistics.ts'
import type { EchoReport } from './report.ts'
import { settled } from './waiting.ts'

export interface EchoPath {
  readonly by: EchoReport['by']
  /** False if it was not sent. */
  send(bytes: Uint8Array): boolean
  /** Where what has come through arrives; set here. */
  onData: (bytes: Uint8Array) => void
}

/** A voice packet of 20 ms. */
const payloadBytes = 172
const intervalMs = 40
/** Limit: how long the last ones may take. */
const lastWaitMs = 1500
const nonceBytes = 8

/** Sends so many, and waits for them. Undefined if the run ended before all were sent. */
export async function measureEcho(run: Run, path: EchoPath, count: number): Promise<EchoReport | undefined> {
  const { clock, random } = run.host
  const nonce = random.bytes(nonceBytes)
  const sentAt: Instant[] = []
  const roundTrips: (number | undefined)[] = []
  let allBack = () => {}
  path.onData = (bytes) => {
    if (bytes.length !== payloadBytes || !isSameBytes(bytes.subarray(0, nonceBytes), nonce)) return
    const i = bytes[nonceBytes]! * 256 + bytes[nonceBytes + 1]!
    const at = sentAt[i]
    if (at === undefined || roundTrips[i] !== undefined) return
    roundTrips[i] = clock.now() - at
    if (Object.keys(roundTrips).length === count) allBack()
  }
  for (let i = 0; i < count; i++) {
    const payload = new Uint8Array(payloadBytes)
    payload.set(nonce)
    payload.set([i >> 8, i & 255], nonceBytes)
    sentAt.push(clock.now())
    path.send(payload)
    if (i + 1 < count && !(await run.sleep(intervalMs))) return undefined
  }
  await settled<void>(run, lastWaitMs, (done) => {
    allBack = done
    if (Object.keys(roundTrips).length === count) done()
  })
  const back = roundTrips.filter((one) => one !== undefined)
  return { by: path.by, payloadBytes, ...summarize(back, sentAt.length) }
}
