/**
 * Mapping behaviour over TCP (RFC 5780 §4.3): connections to every destination from one local port. Where the system
 * does not let connections share a port, the public address is all there is to see.
 */

import type { StreamSocket, TcpListener } from '../core/host.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { isSameBytes } from '../stun/bytes.ts'
import { encodeMessage } from '../stun/encode.ts'
import { decodeMessage } from '../stun/message.ts'
import {
  filterings,
  known,
  mappings,
  narrowed,
  type Observation,
  possibleMappings,
  unknown,
} from './behavior.ts'
import type { Alternates } from './mapping.ts'
import { judgePorts } from './ports.ts'
import type { FamilyReport, NatReport } from './report.ts'
import type { Run } from './run.ts'

const timeoutMs = 2500

/** The system does not let a connection have the port; nothing has been sent. */
const isLocalFault = /^(?:EADDR|EINVAL|EACCES|EPERM)/

interface Seen extends Observation {
  readonly local: TransportAddress
  readonly rttMs: number
}

/** `learnt` gives the server's other addresses, which UDP finds out: the first connection does not wait for them. */
export async function probeTcp(
  run: Run,
  servers: readonly TransportAddress[],
  learnt: Promise<Alternates | undefined>,
): Promise<FamilyReport | undefined> {
  const [server] = servers
  if (server === undefined) return undefined
  const source = run.host.sourceFor(server)
  const listener = source === undefined ? undefined : await shareablePort(run, source)
  const shared = await exchange(run, server, listener?.local)
  const isUnshareable = typeof shared === 'string' && listener !== undefined && isLocalFault.test(shared)
  const first = isUnshareable ? await exchange(run, server, undefined) : shared
  if (typeof first === 'string') {
    listener?.listener.close()
    return unreached(run, first)
  }
  const alternates = await learnt
  run.onStep('the same over TCP')
  const destinations = (alternates === undefined ? servers.slice(0, 4) : Object.values(alternates)).filter(
    (destination) => isUnshareable || !destination.equals(server),
  )
  const others =
    listener === undefined
      ? []
      : await Promise.all(destinations.map((destination) => exchange(run, destination, listener.local)))
  listener?.listener.close()
  const seen = listener === undefined || isUnshareable ? others : [first, ...others]
  const observations = seen.filter((one) => typeof one !== 'string')
  const failed = seen.find((one) => typeof one === 'string')
  const reason =
    listener === undefined
      ? 'no local port to share'
      : failed === undefined
        ? 'the answers leave more than one possibility'
        : `a connection from a shared port failed: ${failed}`
  return {
    reachable: known(true),
    local: `${first.local}`,
    mapped: [`${first.mapped}`],
    isDirect: known(first.mapped.equals(first.local)),
    rttMs: Math.round(first.rttMs * 10) / 10,
    nat: natOf(observations, reason, first, alternates !== undefined),
  }
}

function natOf(seen: readonly Seen[], reason: string, first: Seen, isFull: boolean): NatReport {
  const possible = possibleMappings(seen)
  const none = unknown('not measured over TCP')
  return {
    mapping: {
      ...narrowed(possible.length === 0 ? mappings : possible, reason),
      vantage: isFull ? 'rfc5780' : 'one-address',
      observations: seen.map(({ destination, mapped, rttMs }) => ({
        destination: `${destination}`,
        mapped: `${mapped}`,
        rttMs: Math.round(rttMs * 10) / 10,
        tries: 1,
      })),
    },
    filtering: {
      ...narrowed(filterings, 'not measured over TCP'),
      controls: {
        alternatesAnswer: null,
        sourceChecked: null,
        stillAlive: null,
        changeRequestHonoured: null,
      },
    },
    inboundPoisonsMapping: none,
    ...judgePorts([first], []),
    alg: none,
    fragments: none,
    hairpin: { ...none, source: null },
    layers: none,
  }
}

function unreached(run: Run, reason: string): FamilyReport {
  const isCut = run.isOver || reason === 'cut'
  return {
    reachable: isCut ? unknown('the run ended before') : known(false),
    local: null,
    mapped: [],
    isDirect: unknown(isCut ? 'the run ended before' : `no connection: ${reason}`),
    rttMs: null,
    nat: null,
  }
}

/** A listening port that connections may be made from; undefined where there is none. */
function shareablePort(
  run: Run,
  like: TransportAddress,
): Promise<{ listener: TcpListener; local: TransportAddress } | undefined> {
  return new Promise((resolve) => {
    const listener = run.host.listenTcp(
      { address: like.withPort(0), isShared: true },
      {
        bound: (local) => resolve({ listener, local }),
        failed: () => resolve(undefined),
        admit: () => false,
        connection: () => ignored,
        handshakeFailed: () => {},
        acceptFailed: () => {},
      },
    )
  })
}

const ignored = {
  opened: () => {},
  failed: () => {},
  data: () => {},
  drained: () => {},
  ended: () => {},
  closed: () => {},
}

/** One Binding request over a connection of its own; the reason when nothing comes of it. */
async function exchange(
  run: Run,
  destination: TransportAddress,
  shared: TransportAddress | undefined,
): Promise<Seen | string> {
  if (!(await run.turn())) return 'cut'
  const { host } = run
  const startedAt = host.clock.now()
  return new Promise((resolve) => {
    let local = destination
    const finish = (result: Seen | string) => {
      stream.close()
      resolve(result)
    }
    const transactionId = host.random.bytes(12)
    let buffered = new Uint8Array(0)
    const stream: StreamSocket = host.connectTcp(
      {
        remote: destination,
        timeoutMs,
        ...(shared === undefined ? {} : { local: shared, fromListener: true }),
      },
      {
        ...ignored,
        opened: (bound) => {
          local = bound
          stream.write(encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] }))
        },
        failed: (reason) => finish(reason),
        data: (bytes) => {
          const all = new Uint8Array(buffered.length + bytes.length)
          all.set(buffered)
          all.set(bytes, buffered.length)
          buffered = all
          const message = decodeMessage(all)
          if (typeof message === 'string') return
          const mapped = message.get('XOR-MAPPED-ADDRESS') ?? message.get('MAPPED-ADDRESS')
          if (!isSameBytes(message.transactionId, transactionId) || mapped === undefined) finish('EPROTO')
          else finish({ destination, mapped, local, rttMs: host.clock.now() - startedAt })
        },
        closed: (reason) => finish(reason ?? 'ECONNRESET'),
      },
    )
    void run.sleep(timeoutMs).then((isDue) => finish(isDue ? 'ETIMEDOUT' : 'cut'))
  })
}
