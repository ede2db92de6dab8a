/** The steps with credentials: an allocation of each family, a permission, a channel, the echo, and all of it given back. */

import type { UdpSocket } from '../../core/host.ts'
import { isSameIp } from '../../core/ip.ts'
import { TransportAddress } from '../../core/transport-address.ts'
import { type ClientTlsOptions, unspecifiedFor } from '../../net/client-transport.ts'
import { openTurn, type TurnConnection } from '../../net/turn-connection.ts'
import { isSameBytes } from '../../stun/bytes.ts'
import { formatTurnFailure, type PeerFailure, type TurnFailure } from '../../turn/client/failure.ts'
import type { TurnClientOptions } from '../../turn/client/options.ts'
import type { ClientAllocation, TurnClientEvent } from '../../turn/client/outputs.ts'
import { parseTimeLimitedName } from '../../turn/shared-secret.ts'
import { isCarrierGrade, isPrivate } from '../behavior.ts'
import type { Run } from '../run.ts'
import { allocationFault, codeOf, fault } from './cures.ts'
import { type EchoPath, measureEcho } from './echo.ts'
import { durationOf } from './handshake.ts'
import type { Attempt } from './plan.ts'
import { settled } from './waiting.ts'
import type { Walk } from './walk.ts'

export interface RelayOptions {
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  readonly tls: ClientTlsOptions | undefined
  /** How many packets the echo has. */
  readonly count: number
}

const allocateMs = 8000
const requestMs = 5000
const releaseMs = 3000
const someLoss = 0.05
/** A permission was granted, and nothing came. */
const lost = 'what this host sends does not get through the relay'

/** One allocation, and what its server says of it. */
export class CheckedRelay {
  readonly connection: TurnConnection
  readonly #run: Run
  readonly #events: TurnClientEvent[] = []
  #heard = () => {}
  onData: (bytes: Uint8Array, peer: TransportAddress) => void = () => {}

  constructor(run: Run, attempt: Attempt, options: RelayOptions, family?: TurnClientOptions['family']) {
    this.#run = run
    this.connection = openTurn(
      run.host,
      {
        transport: attempt.transport,
        server: { address: attempt.address, name: attempt.serverName },
        credentials: options.credentials,
        family,
        tls: { ...options.tls, allowInvalid: true },
        allocateDeadlineMs: allocateMs,
        closeDeadlineMs: releaseMs,
      },
      {
        event: (event) => {
          this.#events.push(event)
          this.#heard()
        },
        data: (bytes, peer) => this.onData(bytes, TransportAddress.from(peer)),
      },
    )
  }

  /** The first event that it holds of, whenever it came; 'late' if there is none in time. */
  async until(
    holds: (event: TurnClientEvent) => boolean,
    limitMs: number,
  ): Promise<TurnClientEvent | 'late'> {
    return settled<TurnClientEvent>(this.#run, limitMs, (done) => {
      const look = () => {
        const found = this.#events.find(holds)
        if (found !== undefined) done(found)
      }
      this.#heard = look
      look()
    })
  }

  async allocated(): Promise<ClientAllocation | TurnFailure | 'late'> {
    const event = await this.until(({ type }) => type === 'allocated' || type === 'failed', allocateMs + 500)
    if (event === 'late') return 'late'
    if (event.type === 'allocated') return event.allocation
    return event.type === 'failed' ? event.failure : 'late'
  }

  /** Undefined when it is granted; why not; or 'late'. */
  async permit(peer: TransportAddress): Promise<PeerFailure | 'late' | undefined> {
    this.connection.permit(peer)
    const event = await this.until(
      (one) =>
        (one.type === 'permission-installed' || one.type === 'permission-refused') &&
        isSameIp(one.peer, peer),
      requestMs,
    )
    if (event === 'late') return 'late'
    return event.type === 'permission-refused' ? event.failure : undefined
  }

  async bindChannel(peer: TransportAddress): Promise<PeerFailure | 'late' | undefined> {
    this.connection.bindChannel(peer)
    const event = await this.until(
      (one) => (one.type === 'channel-bound' || one.type === 'channel-refused') && one.peer.equals(peer),
      requestMs,
    )
    if (event === 'late') return 'late'
    return event.type === 'channel-refused' ? event.failure : undefined
  }

  /** Gives it back; whether the server has confirmed that, as far as can be told. */
  async release(): Promise<boolean> {
    const startMs = this.#run.elapsedMs
    this.connection.close()
    const event = await this.until(({ type }) => type === 'closed' || type === 'failed', releaseMs + 500)
    return event !== 'late' && this.#run.elapsedMs - startMs < releaseMs
  }
}

export async function walkRelay(run: Run, walk: Walk, options: RelayOptions): Promise<void> {
  const { attempt } = walk
  const startMs = run.elapsedMs
  const relay = new CheckedRelay(run, attempt, options)
  const allocation = await relay.allocated()
  if (allocation === 'late' && run.isOver) walk.cut('allocate')
  else if (allocation === 'late') walk.failed('allocate', startMs, fault('no-answer'))
  else if ('type' in allocation) {
    const found = allocationFault(allocation, expiredFor(run, options))
    walk.failed('allocate', startMs, found, codeOf(allocation))
  } else {
    lookAtAllocation(walk, startMs, allocation)
    await otherFamily(run, walk, options, allocation)
    await throughRelay(run, walk, options, relay, allocation)
  }
  await release(run, walk, relay, typeof allocation === 'object' && !('type' in allocation))
}

/** How long a time-limited name in use is over; undefined for any other. */
function expiredFor(run: Run, { credentials }: RelayOptions): string | undefined {
  const name = parseTimeLimitedName(credentials?.username ?? '')
  const seconds = name === undefined ? 0 : run.host.clock.epochSeconds() - name.expiresAt
  return seconds > 0 ? durationOf(seconds) : undefined
}

function lookAtAllocation(walk: Walk, startMs: number, { relayed, server }: ClientAllocation): void {
  const address = relayed[0]!
  walk.relayed[address.family] = `${address}`
  if (kindOf(address) !== 'public' && kindOf(address) !== kindOf(server)) {
    walk.failed('allocate', startMs, fault('relay-private', address.ip))
  } else walk.passed('allocate', startMs, `relays at ${address}`)
}

function kindOf(address: TransportAddress): string {
  if (address.ip.startsWith('127.') || address.ip === '::1') return 'loopback'
  if (isCarrierGrade(address)) return 'carrier'
  return isPrivate(address) ? 'private' : 'public'
}

async function otherFamily(
  run: Run,
  walk: Walk,
  options: RelayOptions,
  { relayed }: ClientAllocation,
): Promise<void> {
  const family = relayed[0]!.family === 'IPv4' ? 'IPv6' : 'IPv4'
  const startMs = run.elapsedMs
  const relay = new CheckedRelay(run, walk.attempt, options, family)
  const allocation = await relay.allocated()
  if (allocation === 'late') walk.cut('allocate-other-family')
  else if ('type' in allocation) {
    const said = formatTurnFailure(allocation)
    walk.open('allocate-other-family', `none (${said})`, codeOf(allocation))
  } else {
    const address = allocation.relayed[0]!
    walk.relayed[address.family] = `${address}`
    walk.passed('allocate-other-family', startMs, `relays at ${address}`)
  }
  await relay.release()
}

/** What the echo comes back by, and the peer that has to be let in for it. */
interface Loop {
  readonly path: EchoPath
  readonly peer: TransportAddress
  close(): Promise<void>
}

/**
 * From the relay to another allocation and so back to us; where there is none to be had, or the server refuses it as a
 * peer, to a UDP socket of ours, which first has to open the way for it through our NAT.
 */
async function throughRelay(
  run: Run,
  walk: Walk,
  options: RelayOptions,
  relay: CheckedRelay,
  allocation: ClientAllocation,
): Promise<void> {
  const startMs = run.elapsedMs
  let refusal: PeerFailure | string | undefined
  let isLost = false
  for (const open of [loopByRelay, loopBySocket]) {
    const loop = await open(run, walk, options, relay, allocation)
    if (typeof loop === 'string') {
      isLost ||= loop === lost
      refusal ??= loop
      continue
    }
    const answer = await relay.permit(loop.peer)
    if (answer === undefined) {
      walk.passed('permission', startMs, `for ${loop.peer.ip}`)
      await channelAndEcho(run, walk, options, relay, loop)
      await loop.close()
      return
    }
    refusal = answer
    await loop.close()
  }
  if (run.isOver) {
    walk.cut('permission')
    return
  }
  if (isLost) {
    walk.failed('echo', startMs, fault('echo-silent'))
    return
  }
  const said = typeof refusal === 'object' ? formatTurnFailure(refusal) : (refusal ?? 'no peer')
  walk.failed(
    'permission',
    startMs,
    fault('peers-refused', said),
    typeof refusal === 'object' ? codeOf(refusal) : null,
  )
}

async function channelAndEcho(
  run: Run,
  walk: Walk,
  { count }: RelayOptions,
  relay: CheckedRelay,
  { path, peer }: Loop,
): Promise<void> {
  let startMs = run.elapsedMs
  const refusal = await relay.bindChannel(peer)
  if (refusal === undefined) walk.passed('channel', startMs)
  else if (refusal === 'late') walk.cut('channel')
  else walk.failed('channel', startMs, fault('channel-refused', formatTurnFailure(refusal)), codeOf(refusal))
  startMs = run.elapsedMs
  const echo = await measureEcho(run, path, count)
  if (echo === undefined) {
    walk.cut('echo')
    return
  }
  walk.echo = echo
  if (echo.received === 0) {
    walk.failed('echo', startMs, fault('echo-silent'))
    return
  }
  walk.passed('echo', startMs, `${echo.received} of ${echo.sent} back`)
  if (echo.loss! > someLoss) walk.note(fault('echo-lossy', `${Math.round(echo.loss! * 1000) / 10} %`))
}

async function loopByRelay(
  run: Run,
  { attempt }: Walk,
  options: RelayOptions,
  first: CheckedRelay,
  allocation: ClientAllocation,
): Promise<Loop | string> {
  const from = allocation.relayed[0]!
  const second = new CheckedRelay(run, attempt, options, from.family === 'IPv6' ? 'IPv6' : undefined)
  const other = await second.allocated()
  const close = async () => void (await second.release())
  if (other === 'late' || 'type' in other) {
    await close()
    return other === 'late' ? 'no second allocation in time' : formatTurnFailure(other)
  }
  const refusal = await second.permit(from)
  if (refusal !== undefined) {
    await close()
    return refusal === 'late' ? 'no permission in time' : formatTurnFailure(refusal)
  }
  const peer = other.relayed[0]!
  const path: EchoPath = {
    by: 'relay',
    send: (bytes) => first.connection.send(bytes, peer),
    onData: () => {},
  }
  second.onData = (bytes) => path.onData(bytes)
  return { path, peer, close }
}

async function loopBySocket(
  run: Run,
  _: Walk,
  __: RelayOptions,
  relay: CheckedRelay,
  { relayed, mapped, server }: ClientAllocation,
): Promise<Loop | string> {
  const from = relayed[0]!
  const local = relay.connection.local
  if (mapped === undefined || mapped.family !== from.family || local === undefined)
    return 'no address of ours'
  let path: EchoPath | undefined
  const isLocal = server.ip.startsWith('127.') || server.ip === '::1'
  const address = isLocal ? server.withPort(0) : unspecifiedFor(from)
  let socket: UdpSocket | undefined
  const bound = await settled<boolean>(run, requestMs, (done) => {
    socket = run.host.bindUdp(
      { address },
      {
        bound: () => done(true),
        failed: () => done(false),
        datagram: (bytes) => path?.onData(bytes),
        sendFailed: () => {},
      },
    )
  })
  if (bound !== true || socket === undefined) return 'no socket'
  const refusal = await relay.permit(mapped)
  const peer = refusal === undefined ? await meet(run, relay, socket, from) : refusal
  if (!(peer instanceof TransportAddress)) {
    socket.close()
    if (peer === undefined) return lost
    return peer === 'late' ? 'no permission in time' : formatTurnFailure(peer)
  }
  path = { by: 'socket', send: (bytes) => relay.connection.send(bytes, peer), onData: () => {} }
  return { path, peer, close: async () => socket?.close() }
}

/** Sends from the socket to the relay, which tells how it is seen there; undefined if nothing gets through. */
async function meet(
  run: Run,
  relay: CheckedRelay,
  socket: UdpSocket,
  from: TransportAddress,
): Promise<TransportAddress | undefined> {
  const nonce = run.host.random.bytes(16)
  let seen: TransportAddress | undefined
  relay.onData = (bytes, peer) => {
    if (isSameBytes(bytes, nonce)) seen = peer
  }
  for (let i = 0; i < 10 && seen === undefined; i++) {
    socket.send(nonce, from)
    if (!(await run.sleep(100))) break
  }
  return seen
}

async function release(run: Run, walk: Walk, relay: CheckedRelay, isThere: boolean): Promise<void> {
  const startMs = run.elapsedMs
  const isConfirmed = await relay.release()
  if (!isThere) return
  if (isConfirmed) walk.passed('release', startMs)
  else if (run.isOver) walk.cut('release')
  else {
    walk.open('release', 'not confirmed in time')
    walk.note(fault('not-released'))
  }
}
