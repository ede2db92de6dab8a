/** ICE over TCP (RFC 6544): active, passive and simultaneous open, and what becomes of connections. */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { TcpType } from '../../src/ice/candidate.ts'
import { IceHarness, type Side, selectedTypes } from '../support/ice-harness.ts'
import { host, peerAddress, SoloIce } from '../support/ice-solo.ts'

function addTcp(net: IceHarness, to: Side, tcpType: TcpType, port: number): void {
  const ip = to === net.a ? '192.0.2.1' : '198.51.100.1'
  const socket = socketId(to.sockets.size + 1)
  const address = TransportAddress.of(ip, port)
  to.sockets.set(socket, address)
  net.add(to, { type: 'host', protocol: 'tcp', tcpType, socket, address })
}

function connect(a: TcpType, b: TcpType, options = {}): IceHarness {
  const net = new IceHarness(options, options)
  addTcp(net, net.a, a, a === 'active' ? 9 : 7000)
  addTcp(net, net.b, b, b === 'active' ? 9 : 8000)
  net.signalBoth()
  return net
}

describe.each([
  ['active', 'passive'],
  ['passive', 'active'],
] as const)('%s and %s', (a, b) => {
  it('connect over one connection', () => {
    const net = connect(a, b)
    expect(net.runUntil(() => net.isCompleted, 2000)).toBe(true)
    expect(net.openConnections).toBe(1)
    net.sendData(net.a, 'to b')
    net.sendData(net.b, 'to a')
    net.run(100)
    expect([net.a.received, net.b.received]).toEqual([['to a'], ['to b']])
  })

  it('send each check once: TCP takes care of the rest', () => {
    const net = connect(a, b)
    net.lose = (packet) => packet.purpose === 'response'
    net.run(30_000)
    expect(net.packets.filter(({ purpose }) => purpose === 'retransmission')).toEqual([])
  })

  it('the active side learns a peer-reflexive candidate, and the passive side one of the peer', () => {
    const net = connect(a, b)
    net.runUntil(() => net.isCompleted, 2000)
    const [active, passive] = a === 'active' ? [net.a, net.b] : [net.b, net.a]
    expect(selectedTypes(active)).toBe('prflx/host')
    expect(selectedTypes(passive)).toBe('host/prflx')
  })

  it('connect again when the connection breaks', () => {
    const net = connect(a, b)
    net.runUntil(() => net.isCompleted, 2000)
    net.breakConnections()
    expect(net.a.agent.state).toBe('disconnected')
    expect(net.a.agent.sendPath()).toBeUndefined()
    expect(net.runUntil(() => net.isCompleted, 5000)).toBe(true)
    net.sendData(net.a, 'again')
    net.run(100)
    expect(net.b.received).toEqual(['again'])
  })

  it('keep consent up', () => {
    const net = connect(a, b)
    net.runUntil(() => net.isCompleted, 2000)
    net.run(120_000)
    expect(net.isCompleted).toBe(true)
  })
})

it('two simultaneous-open candidates connect', () => {
  const net = connect('so', 'so', { renomination: false })
  expect(net.runUntil(() => net.isCompleted, 2000)).toBe(true)
  net.run(1000)
  net.sendData(net.a, 'x')
  net.run(100)
  expect(net.b.received).toEqual(['x'])
})

it.each([
  ['active', 'active'],
  ['passive', 'passive'],
  ['so', 'passive'],
  ['active', 'so'],
] as const)('%s and %s are no pair', (a, b) => {
  const net = connect(a, b)
  expect(net.a.agent.pairs()).toEqual([])
})

function activeSolo(): SoloIce {
  const solo = new SoloIce()
  solo.agent.addLocalCandidate(
    {
      type: 'host',
      protocol: 'tcp',
      tcpType: 'active',
      socket: host,
      address: TransportAddress.parse('192.0.2.1:9'),
    },
    solo.now,
  )
  solo.describe()
  return solo
}

describe('connections', () => {
  it('that were not selected are closed when the session completes', () => {
    const net = new IceHarness({ renomination: false }, {})
    addTcp(net, net.a, 'active', 9)
    addTcp(net, net.b, 'passive', 8000)
    addTcp(net, net.b, 'passive', 8001)
    net.signalBoth()
    net.runUntil(() => net.isCompleted, 5000)
    net.run(1000)
    expect(net.openConnections).toBe(1)
  })

  it('are closed with the agent', () => {
    const net = connect('active', 'passive')
    net.runUntil(() => net.isCompleted, 2000)
    net.a.agent.close()
    net.drain(net.a)
    expect(net.openConnections).toBe(0)
    expect(net.a.agent.pollTimeout()).toBeUndefined()
  })

  it('that cannot be made fail the pair, with the reason of the system', () => {
    const net = new IceHarness()
    addTcp(net, net.a, 'active', 9)
    net.addHost(net.b, '198.51.100.1:5000')
    net.signalBoth()
    net.a.agent.addRemoteCandidate(
      {
        foundation: '1',
        component: 1,
        protocol: 'tcp',
        tcpType: 'passive',
        priority: 1,
        type: 'host',
        address: TransportAddress.parse('198.51.100.1:8000'),
      },
      net.now,
    )
    net.run(1000)
    expect(net.a.agent.pairs()[0]).toMatchObject({
      failure: 'connection-failed',
      failureDetail: 'ECONNREFUSED',
    })
  })

  it('are opened at the pace of checks', () => {
    const solo = activeSolo()
    for (let port = 1; port <= 3; port++) {
      solo.addRemote(
        peerAddress.withPort(port),
        `${port} 1 tcp ${1000 - port} HOST PORT typ host tcptype passive`,
      )
    }
    solo.elapse(49)
    expect(solo.events('open-connection')).toHaveLength(1)
    solo.elapse(51)
    expect(solo.events('open-connection').map(({ remote }) => remote.port)).toEqual([1, 2, 3])
  })

  it('at whose end somebody else answers are closed', () => {
    const solo = activeSolo()
    solo.addRemote(peerAddress, '1 1 tcp 1000 HOST PORT typ host tcptype passive')
    solo.elapse(0)
    const { connection } = solo.events('open-connection')[0]!
    solo.agent.connectionOpened(connection, solo.now)
    solo.drain()
    expect(solo.handle(new TextEncoder().encode('SSH-2.0'), peerAddress, connection)).toBe('dropped')
    expect(solo.agent.pairs()[0]).toMatchObject({ state: 'failed', failure: 'not-an-ice-peer' })
    expect(solo.events('close-connection')).toEqual([{ type: 'close-connection', connection }])
  })

  it('that nobody waits for are nobody’s', () => {
    const solo = SoloIce.ready()
    expect(solo.agent.connectionAccepted(socketId(77), host)).toBe(false)
  })
})

it('UDP is preferred where both work', () => {
  const net = new IceHarness()
  for (const of of [net.a, net.b]) {
    addTcp(net, of, of === net.a ? 'active' : 'passive', of === net.a ? 9 : 8000)
    net.addHost(of, of === net.a ? '192.0.2.1:5000' : '198.51.100.1:5000')
  }
  net.signalBoth()
  net.runUntil(() => net.isCompleted, 2000)
  expect(net.a.agent.pairs().find(({ isNominated }) => isNominated)?.local.protocol).toBe('udp')
})
