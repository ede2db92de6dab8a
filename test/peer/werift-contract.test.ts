/** What src/peer relies on in werift beyond its documentation. When this fails, read agent-connection.ts against the new werift. */

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  Candidate,
  candidateFromIce,
  RTCDtlsTransport,
  RTCIceGatherer,
  RTCIceTransport,
  RTCPeerConnection,
  Event as WeriftEvent,
} from 'werift'
import { NodeHost } from '../../src/net/node-host.ts'
import { AgentConnection } from '../../src/peer/agent-connection.ts'
import { negotiate, trickle } from '../support/peer-pair.ts'

interface Manager {
  createTransport: unknown
  updateIceGatheringState: unknown
  updateIceConnectionState: unknown
  config: unknown
  certificate: unknown
}

/** The least that a connection, a restart and statistics take. */
const seam = [
  ...['addRemoteCandidate', 'close', 'connect', 'gatherCandidates', 'iceControlling', 'localPassword'],
  ...['localUsername', 'onData', 'remoteUsername', 'restart', 'send', 'setRemoteParams'],
  'stateChanged',
]

/** A peer connection of werift alone, with what its transports touch of the ICE connection noted. */
function watched(touched: Set<string>): RTCPeerConnection {
  const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' })
  const manager = secureManagerOf(connection)
  const { config, certificate } = manager as unknown as { config: never; certificate: never }
  const update = (name: 'updateIceGatheringState' | 'updateIceConnectionState') =>
    (manager[name] as () => void).call(manager)
  manager.createTransport = () => {
    const gatherer = new RTCIceGatherer({ stunServer: undefined } as never)
    const own = gatherer.connection
    ;(gatherer as { connection: unknown }).connection = new Proxy(own, {
      get: (target, name) => {
        if (typeof name === 'string') touched.add(name)
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
      set: (target, name, value) => {
        if (typeof name === 'string') touched.add(name)
        return Reflect.set(target, name, value, target)
      },
    })
    own.onIceCandidate.subscribe((candidate) => gatherer.onIceCandidate(candidateFromIce(candidate)))
    gatherer.onGatheringStateChange.subscribe(() => update('updateIceGatheringState'))
    const transport = new RTCIceTransport(gatherer)
    transport.onStateChange.subscribe(() => update('updateIceConnectionState'))
    return new RTCDtlsTransport(config, transport, certificate, [0x0007, 0x0001])
  }
  return connection
}

const secureManagerOf = (connection: RTCPeerConnection): Manager =>
  (connection as unknown as { secureManager: Manager }).secureManager

describe('werift, as far as it is relied on', () => {
  it('is the version that this was written against', () => {
    const own = JSON.parse(readFileSync('package.json', 'utf8'))
    const installed = JSON.parse(readFileSync('node_modules/werift/package.json', 'utf8'))
    expect(own.dependencies.werift).toBe(installed.version)
    expect(installed.version).toBe('0.25.2')
  })

  it('has a secure manager that makes transports by a method of its own', async () => {
    const connection = new RTCPeerConnection({ iceServers: [] })
    const manager = secureManagerOf(connection)
    for (const name of ['createTransport', 'updateIceGatheringState', 'updateIceConnectionState'] as const) {
      expect(manager[name], name).toBeTypeOf('function')
    }
    expect(manager).toHaveProperty('config')
    await connection.close()
  })

  it('asks the secure manager for the transport when the first channel is made, and not before', async () => {
    const connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' })
    const manager = secureManagerOf(connection)
    const create = (manager.createTransport as () => unknown).bind(manager)
    let made = 0
    manager.createTransport = () => {
      made++
      return create()
    }
    expect(made).toBe(0)
    connection.createDataChannel('x')
    connection.addTransceiver('video')
    expect(made).toBe(1)
    await connection.close()
  })

  it('reads the connection of a gatherer and nothing else of it', () => {
    const gatherer = new RTCIceGatherer({})
    expect(gatherer.connection).toBeDefined()
    expect(gatherer.gatheringState).toBe('new')
    gatherer.setGatheringState('complete')
    expect(gatherer.gatheringState).toBe('complete')
    const other = new RTCIceGatherer({}).connection
    ;(gatherer as { connection: unknown }).connection = other
    expect(new RTCIceTransport(gatherer).connection).toBe(other)
  })

  it('starts DTLS with its sockets in `dtls` before the first wait', () => {
    const source = RTCDtlsTransport.prototype.start.toString()
    const [server, client] = [source.indexOf('DtlsServer({'), source.indexOf('DtlsClient({')]
    const wait = source.search(/\(100\)/)
    expect(server).toBeGreaterThan(0)
    expect(client).toBeGreaterThan(server)
    expect(wait).toBeGreaterThan(client)
    expect(source.slice(0, client)).not.toMatch(/await (?!new Promise\(async)/)
  })

  it('hands handshake messages to a method that can be replaced, and counts flights', async () => {
    for (const role of ['client', 'server'] as const) {
      const transport = new RTCDtlsTransport(
        {} as never,
        new RTCIceTransport(new RTCIceGatherer({})),
        undefined,
        [],
      )
      transport.role = role
      transport.setRemoteParams({ fingerprints: [{ algorithm: 'sha-256', value: '' }] } as never)
      transport.start().catch(() => {})
      const socket = transport.dtls as unknown as Record<string, unknown>
      expect(Object.hasOwn(socket, 'onHandleHandshakes')).toBe(true)
      expect(socket).toMatchObject({ connected: false, dtls: { flight: 0 } })
      await transport.stop()
    }
  })

  it('has events whose execute and subscribe can be replaced', () => {
    const event = new WeriftEvent<[number]>()
    const seen: number[] = []
    event.subscribe((value) => seen.push(value))
    event.execute(1)
    expect(seen).toEqual([1])
    expect(Object.hasOwn(event, 'execute')).toBe(true)
    expect(Object.hasOwn(event, 'subscribe')).toBe(true)
  })

  it('touches of an ICE connection what ours has, and nothing else', async () => {
    const touched = new Set<string>()
    const [a, b] = [watched(touched), watched(touched)]
    trickle(a, b)
    const channel = a.createDataChannel('x')
    a.addTransceiver('video')
    const isOpen = new Promise<void>((resolve) => {
      channel.onopen = () => resolve()
    })
    await negotiate(a, b)
    await isOpen
    a.restartIce()
    await negotiate(a, b)
    a.setConfiguration({ iceServers: [] })
    await a.getStats()
    await Promise.all([a.close(), b.close()])
    const ours = new AgentConnection(
      new NodeHost(),
      () => ({}),
      () => {},
    )
    expect([...touched].filter((name) => !(name in ours))).toEqual([])
    expect(seam.filter((name) => !touched.has(name))).toEqual([])
    await ours.close()
  })

  it('has candidates with the arguments in this order', () => {
    const candidate = new Candidate(
      'f',
      1,
      'udp',
      5,
      '192.0.2.1',
      7,
      'srflx',
      '10.0.0.1',
      9,
      undefined,
      2,
      'u',
    )
    expect(candidate.toSdp()).toContain('f 1 udp 5 192.0.2.1 7 typ srflx raddr 10.0.0.1 rport 9')
    expect(candidateFromIce(candidate).toJSON()).toMatchObject({ usernameFragment: 'u' })
  })
})
