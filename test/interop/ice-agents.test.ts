/**
 * Our ICE with other people's: aioice (aggressive nomination), libnice (regular nomination), werift's own, and libjuice in
 * node-datachannel. On loopback, by one table: host candidates told all at once and one by one, relays of either side by UDP
 * and TCP, lite on either side, role conflicts, restarts, and passwords that are wrong.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCandidate } from '../../src/ice/candidate-line.ts'
import type { PairSummary } from '../../src/ice/outputs.ts'
import type { IceTransportOptions } from '../../src/net/ice/options.ts'
import {
  ForeignPeer,
  OurPeer,
  type PeerConfig,
  type PeerProgram,
  peerPrograms,
  signal,
  type TurnAccess,
} from '../support/ice-peer.ts'
import { type Child, run, startCli, tellMissing } from '../support/programs.ts'

const programs = Object.keys(peerPrograms) as PeerProgram[]
const modules: Partial<Record<PeerProgram, string>> = { aioice: 'aioice', libnice: 'gi' }
const packages = 'apt-get install python3-aioice gir1.2-nice-0.1 python3-gi'

type Role = 'controlling' | 'controlled'
type Transport = 'udp' | 'tcp'

/** What a row asks for, beside the roles. */
interface Case {
  readonly name: string
  readonly ourRole: Role
  /** The other one unless given. */
  readonly theirRole?: Role
  readonly trickle?: boolean
  readonly ourRelay?: Transport
  readonly theirRelay?: Transport
  readonly lite?: 'we' | 'peer'
  readonly restart?: boolean
}

const roles: readonly Role[] = ['controlling', 'controlled']
const transports: readonly Transport[] = ['udp', 'tcp']

const cases: readonly Case[] = [
  ...roles.flatMap((ourRole): Case[] => [
    { name: `on host candidates that come all at once, we are ${ourRole}`, ourRole },
    { name: `on host candidates that come one by one, we are ${ourRole}`, ourRole, trickle: true },
    { name: `when both are ${ourRole}, repairing the conflict`, ourRole, theirRole: ourRole },
    { name: `again after a restart, we are ${ourRole}`, ourRole, restart: true },
    ...transports.flatMap((transport): Case[] => [
      {
        name: `when we use nothing but a relay by ${transport}, ${ourRole}`,
        ourRole,
        ourRelay: transport,
      },
      {
        name: `when the peer uses nothing but a relay by ${transport}, we are ${ourRole}`,
        ourRole,
        theirRelay: transport,
      },
    ]),
  ]),
  { name: 'when we are lite', ourRole: 'controlled', lite: 'we' },
  { name: 'when the peer is lite', ourRole: 'controlling', lite: 'peer' },
]

/** What a program cannot do at all, and why. */
const lacks: Readonly<Record<PeerProgram, (row: Case) => boolean>> = {
  // No lite mode of its own.
  aioice: ({ lite }) => lite === 'peer',
  libnice: () => false,
  werift: () => false,
  // No lite mode of its own, and no TURN over TCP.
  'node-datachannel': ({ lite, theirRelay }) => lite === 'peer' || theirRelay === 'tcp',
}

/** Node's are installed by npm; Debian's may be missing. */
function isMissing(program: PeerProgram): boolean {
  const module = modules[program]
  if (module === undefined || run('/usr/bin/python3', ['-c', `import ${module}`]).status === 0) return false
  tellMissing(`interop with ${program}: not installed; ${packages}`)
  return true
}

const present = programs.filter((program) => !isMissing(program))

let server: Child
let ports: Readonly<Record<Transport, number>>

beforeAll(async () => {
  server = startCli(
    [
      ...['serve', '--listen', 'udp://127.0.0.1:0', '--listen', 'tcp://127.0.0.1:0'],
      ...['--user', 'u:p', '--allow-peer', '127.0.0.0/8', '--log-format', 'json'],
    ],
    { timeoutSeconds: 900 },
  )
  const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
  const [udp, tcp] = JSON.parse(line).listeners.map((listener: { port: number }) => listener.port)
  ports = { udp, tcp }
})

afterAll(async () => {
  await server?.stop()
})

function optionsOf({ ourRole, ourRelay, lite }: Case): IceTransportOptions {
  const url = `turn:127.0.0.1:${ports[ourRelay ?? 'udp']}?transport=${ourRelay}`
  return {
    role: ourRole,
    lite: lite === 'we',
    ...(ourRelay !== undefined && {
      transportPolicy: 'relay',
      servers: [{ urls: url, username: 'u', credential: 'p' }],
    }),
  }
}

function configOf({ ourRole, theirRole, theirRelay, lite }: Case): PeerConfig {
  const access = (transport: Transport): TurnAccess => ({
    host: '127.0.0.1',
    port: ports[transport],
    username: 'u',
    password: 'p',
    transport,
  })
  return {
    role: theirRole ?? (ourRole === 'controlling' ? 'controlled' : 'controlling'),
    ...(theirRelay !== undefined && { turn: access(theirRelay) }),
    ...(lite === 'we' && { remoteLite: true }),
    ...(lite === 'peer' && { lite: true }),
  }
}

/** Waits until something holds; what both sides have told is in the message if it never does. */
async function both(us: OurPeer, peer: ForeignPeer, holds: () => boolean): Promise<void> {
  try {
    await peer.until(holds)
  } catch (cause) {
    throw new Error(`${us}`, { cause })
  }
}

/** Data there and back; or with DTLS in the way, its ClientHello. */
async function expectData(us: OurPeer, peer: ForeignPeer): Promise<void> {
  if (peer.program === 'node-datachannel') {
    await both(us, peer, () => us.received.some(([first]) => first === 22))
    return
  }
  const text = `hello ${us.received.length}`
  // A peer may need a moment more to know that it is connected, and drop what comes before.
  await both(us, peer, () => {
    us.transport.send(new TextEncoder().encode(text))
    return peer.received.includes(text) && us.texts.includes(`echo ${text}`)
  })
}

async function expectConnected(us: OurPeer, peer: ForeignPeer): Promise<void> {
  await both(us, peer, () => us.transport.state === 'completed' && peer.isConnected)
  await expectData(us, peer)
}

function nominated(us: OurPeer): PairSummary[] {
  return us.transport.pairs().filter(({ isNominated }) => isNominated)
}

/** Addresses that the peer has told of as relayed ones, as the server gave them. */
function relayedAddresses(peer: ForeignPeer): string[] {
  return peer.candidates.flatMap((line) => {
    const candidate = parseCandidate(line)
    return typeof candidate !== 'string' && candidate.type === 'relay' ? [`${candidate.address}`] : []
  })
}

async function restart(us: OurPeer, peer: ForeignPeer): Promise<void> {
  const { ufrag } = us.transport.localDescription
  const before = us.events.length
  peer.send('restart')
  us.transport.restart()
  expect(us.transport.localDescription.ufrag).not.toBe(ufrag)
  await signal(us, peer, { generation: 2 })
  await both(us, peer, () => us.events.slice(before).some(({ type }) => type === 'selected-pair'))
  us.received.length = 0
  await expectData(us, peer)
}

/** Each tries with a password that is none, from the start of the file on: it takes a check 39.5 s to give up. */
const refused = new Map<PeerProgram, Promise<{ us: OurPeer; peer: ForeignPeer }>>()

function beginRefused(program: PeerProgram): Promise<{ us: OurPeer; peer: ForeignPeer }> {
  const us = new OurPeer({ role: 'controlling' })
  const peer = new ForeignPeer(program, { role: 'controlled' })
  return signal(us, peer, { password: 'wrongwrongwrongwrongwrong' }).then(() => ({ us, peer }))
}

beforeAll(() => {
  for (const program of present) refused.set(program, beginRefused(program))
})

afterAll(async () => {
  for (const begun of refused.values()) {
    const { us, peer } = await begun
    us.transport.close()
    await peer.close()
  }
})

const rows = present.flatMap((program) =>
  cases.filter((row) => !lacks[program](row)).map((row) => ({ program, ...row })),
)

describe.concurrent('connects', () => {
  it.for(rows)('with $program $name', async ({ program, ...row }, { onTestFinished }) => {
    const us = new OurPeer(optionsOf(row))
    const peer = new ForeignPeer(program, configOf(row))
    onTestFinished(async () => {
      us.transport.close()
      await peer.close()
    })
    // aioice and libjuice use their own sockets too: nothing of theirs but what the server relays is let in.
    if (row.theirRelay !== undefined) us.host.lets = (source) => relayedAddresses(peer).includes(`${source}`)
    await signal(us, peer, { trickle: row.trickle === true })
    await expectConnected(us, peer)
    if (row.restart === true) await restart(us, peer)
    const [pair, ...others] = nominated(us)
    // A peer that is aggressive nominates whatever works.
    if (row.ourRole === 'controlling' && row.theirRole === undefined) expect(others).toEqual([])
    if (row.ourRelay === undefined) expect(pair?.local.type).not.toBe('relay')
    else expect(pair?.local).toMatchObject({ type: 'relay', relayProtocol: row.ourRelay })
    if (row.theirRelay === undefined) expect(pair?.remote.type).not.toBe('relay')
    else expect(relayedAddresses(peer)).toContain(`${pair?.remote.address}`)
  })
})

describe('with a wrong password', () => {
  const hint = 'unauthenticated error 40'

  it.each(present)('%s and we do not connect: failed, with every pair and its reason', async (program) => {
    const { us, peer } = await refused.get(program)!
    await both(us, peer, () => us.transport.state === 'failed')
    const needed = us.events.find((event) => event.type === 'restart-needed')
    expect(needed).toMatchObject({ reason: 'every candidate pair failed' })
    const table = us.transport.pairs().map(({ state, failure }) => [state, failure])
    expect(table).not.toEqual([])
    expect(table).toEqual(table.map(() => ['failed', 'timeout']))
    // Who refuses a check says so unsigned: no proof, and so no more than a hint.
    for (const { failureDetail = hint } of us.transport.pairs()) expect(failureDetail).toMatch(hint)
    expect(us.events.some((event) => event.type === 'path' && event.path !== undefined)).toBe(false)
    expect(peer.isConnected).toBe(false)
  })
})
