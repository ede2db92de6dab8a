/**
 * A TURN relay as the second vantage point: its relayed transport addresses are foreign endpoints that we drive
 * ourselves. What they hear of our socket shows the mapping toward them, and what they send shows the filter, with no
 * RFC 5780 anywhere.
 */

import { isSameIp } from '../core/ip.ts'
import { TransportAddress } from '../core/transport-address.ts'
import type { TurnConnection } from '../net/turn-connection.ts'
import { dialTurn } from '../net/turn-dial.ts'
import { isSameBytes } from '../stun/bytes.ts'
import type { ServerUri } from '../stun/uri.ts'
import { formatTurnFailure } from '../turn/client/failure.ts'
import { type Filtering, filterings } from './behavior.ts'
import { reportOf } from './filtering.ts'
import type { ExtraObservation } from './mapping.ts'
import { ProbeSocket } from './probe-socket.ts'
import type { FilteringReport } from './report.ts'
import type { Run } from './run.ts'

export interface TurnVantageOptions {
  readonly uri: ServerUri
  readonly credentials: { readonly username: string; readonly password: string } | undefined
}

const tries = 10
const intervalMs = 70
/** Limit: for a permission that is lost and asked for again. */
const mostWaits = 40

export interface Relay {
  readonly address: TransportAddress
  readonly connection: TurnConnection
  onData: (bytes: Uint8Array, peer: TransportAddress) => void
}

/** Two allocations, so that two ports of one foreign address are ours; or why there are none. */
export async function openRelays(run: Run, options: TurnVantageOptions): Promise<readonly Relay[] | string> {
  const relays = await Promise.all([openRelay(run, options), openRelay(run, options)])
  const open = relays.filter((relay) => typeof relay !== 'string')
  return open.length === relays.length ? open : relays.find((relay) => typeof relay === 'string')!
}

export function closeRelays(relays: readonly Relay[]): void {
  for (const { connection } of relays) connection.close()
}

async function openRelay(run: Run, { uri, credentials }: TurnVantageOptions): Promise<Relay | string> {
  if (!(await run.turn())) return 'the run ended before'
  return new Promise((resolve) => {
    let relay: Relay | undefined
    const connection = dialTurn(
      run.host,
      { uri, credentials, family: 'IPv4' },
      {
        event: (event) => {
          if (event.type === 'failed')
            resolve(`the TURN server gives no relay: ${formatTurnFailure(event.failure)}`)
          if (event.type !== 'allocated') return
          relay = { address: event.allocation.relayed[0]!, connection, onData: () => {} }
          resolve(relay)
        },
        data: (bytes, peer) => relay?.onData(bytes, TransportAddress.from(peer)),
      },
    )
    void run.sleep(3000).then(() => {
      if (relay === undefined) connection.close()
      resolve('the TURN server gives no relay in time')
    })
  })
}

/** What both relays see of a socket; fewer where nothing came through. `publicIps`: who may send to them. */
export async function observeByRelays(
  run: Run,
  socket: ProbeSocket,
  relays: readonly Relay[],
  permitted: TransportAddress,
): Promise<readonly ExtraObservation[]> {
  const seen = await Promise.all(relays.map((relay) => observe(run, socket, relay, permitted)))
  return seen.filter((one) => one !== undefined)
}

async function observe(
  run: Run,
  socket: ProbeSocket,
  relay: Relay,
  permitted: TransportAddress,
): Promise<ExtraObservation | undefined> {
  const nonce = run.host.random.bytes(12)
  let mapped: TransportAddress | undefined
  relay.onData = (bytes, peer) => {
    if (isSameBytes(bytes, nonce)) mapped = peer
  }
  relay.connection.permit(permitted)
  for (let i = 0; i < tries && mapped === undefined; i++) {
    socket.send(nonce, relay.address)
    if (!(await run.sleep(intervalMs))) break
  }
  return mapped && { destination: relay.address, mapped, vantage: 'turn' }
}

/** Whether what a relay sends to that mapping arrives; `cut` if the run ended first. */
async function arrives(
  run: Run,
  relay: Relay,
  socket: ProbeSocket,
  mapped: TransportAddress,
): Promise<boolean | 'cut'> {
  const nonce = run.host.random.bytes(12)
  let isThere = false
  socket.onOther = (bytes, source) => {
    if (isSameBytes(bytes, nonce) && relay.address.equals(source)) isThere = true
  }
  relay.connection.permit(mapped)
  // What the relay does not send for want of a permission yet is no try.
  for (let sent = 0, waited = 0; sent < tries && waited < mostWaits && !isThere; waited++) {
    if (relay.connection.send(nonce, mapped)) sent++
    if (!(await run.sleep(intervalMs))) return isThere ? true : 'cut'
    if (waited === mostWaits - 1 && sent < tries && !isThere) return 'cut'
  }
  return isThere
}

/**
 * A fresh socket that has asked the server only; a relay sends to it; then it sends to one relay, and the other one
 * sends to the mapping toward that. At last the same relay sends: that has to arrive, or nothing was proved.
 */
export async function filteringByRelays(
  run: Run,
  like: ProbeSocket,
  server: TransportAddress,
  [one, two]: readonly Relay[],
): Promise<FilteringReport> {
  const socket = await ProbeSocket.open(run, like.local)
  if (typeof socket === 'string' || one === undefined || two === undefined)
    return reportOf(filterings, 'no socket or no relay for it')
  const first = await socket.ask(server)
  if (first.type !== 'answered') return reportOf(filterings, `${server} did not answer a new socket`)
  const unasked = await arrives(run, one, socket, first.mapped)
  const after = await socket.ask(server)
  const toOne = await observe(run, socket, one, first.mapped)
  if (unasked === true) {
    // From another port of the server's address, an address filter would have let it through too.
    const possible: Filtering[] = isSameIp(one.address, server) ? ['EIF', 'ADF'] : ['EIF']
    return reportOf(possible, 'the relay has the address of the server', { sourceChecked: true })
  }
  if (toOne === undefined || after.type !== 'answered' || !after.mapped.equals(first.mapped))
    return reportOf(filterings, 'the mapping was not the same before and after', { stillAlive: false })
  const [fromOther, fromSame] = [
    await arrives(run, two, socket, toOne.mapped),
    await arrives(run, one, socket, toOne.mapped),
  ]
  if (fromSame !== true || unasked === 'cut' || fromOther === 'cut')
    return reportOf(filterings, 'the relay could not be shown to send', { changeRequestHonoured: false })
  if (!isSameIp(one.address, two.address)) return reportOf(['ADF', 'APDF'], 'the relays have two addresses')
  const controls = {
    alternatesAnswer: true,
    sourceChecked: true,
    stillAlive: true,
    changeRequestHonoured: true,
  }
  return reportOf([fromOther ? 'ADF' : 'APDF'], '', controls)
}
