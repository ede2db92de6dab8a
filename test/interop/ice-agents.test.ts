/**
 * Our ICE with other people's: aioice (aggressive nomination), libnice (regular nomination), werift's own, and libjuice in
 * node-datachannel. On loopback, in both roles, trickled and not, through our TURN server by UDP and TCP.
 */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { IceTransportOptions } from '../../src/net/ice/options.ts'
import {
  ForeignPeer,
  OurPeer,
  type PeerConfig,
  type PeerProgram,
  signal,
  type TurnAccess,
} from '../support/ice-peer.ts'
import { type Child, run, startCli, tellMissing } from '../support/programs.ts'

const roles = ['controlling', 'controlled'] as const
const modules: Partial<Record<PeerProgram, string>> = { aioice: 'aioice', libnice: 'gi' }
const packages = 'apt-get install python3-aioice gir1.2-nice-0.1 python3-gi'

/** Node's are installed by npm; Debian's may be missing. */
function isMissing(program: PeerProgram): boolean {
  const module = modules[program]
  if (module === undefined || run('/usr/bin/python3', ['-c', `import ${module}`]).status === 0) return false
  tellMissing(`interop with ${program}: not installed; ${packages}`)
  return true
}

const open: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

function start(program: PeerProgram, ours: IceTransportOptions, theirs: PeerConfig) {
  const us = new OurPeer(ours)
  const peer = new ForeignPeer(program, theirs)
  open.push(us.transport, peer)
  return { us, peer }
}

function otherRole(role: 'controlling' | 'controlled') {
  return role === 'controlling' ? 'controlled' : 'controlling'
}

/** Data there and back; or with DTLS in the way, its ClientHello. */
async function expectData(us: OurPeer, peer: ForeignPeer): Promise<void> {
  if (peer.program === 'node-datachannel') {
    await peer.until(() => us.received.some(([first]) => first === 22))
    return
  }
  const text = `hello ${us.received.length}`
  // A peer may need a moment more to know that it is connected, and drop what comes before.
  await peer.until(() => {
    us.transport.send(new TextEncoder().encode(text))
    return peer.received.includes(text) && us.texts.includes(`echo ${text}`)
  })
}

async function expectConnected(us: OurPeer, peer: ForeignPeer): Promise<void> {
  await peer.until(() => us.transport.state === 'completed' && peer.isConnected)
  await expectData(us, peer)
}

function selected(us: OurPeer) {
  return us.transport.pairs().find(({ isNominated }) => isNominated)
}

describe.each(['aioice', 'libnice', 'werift', 'node-datachannel'] as const)('with %s', (program) => {
  const skip = isMissing(program)

  describe.skipIf(skip).each(roles)('we are %s', (role) => {
    it.each([
      ['all at once', false],
      ['one by one', true],
    ])('connects on host candidates that come %s', async (_name, trickle) => {
      const { us, peer } = start(program, { role }, { role: otherRole(role) })
      await signal(us, peer, { trickle })
      await expectConnected(us, peer)
      // A peer that is aggressive nominates whatever works.
      const nominated = us.transport.pairs().filter(({ isNominated }) => isNominated)
      if (role === 'controlling') expect(nominated).toHaveLength(1)
      else expect(nominated).not.toEqual([])
    })
  })

  it.skipIf(skip)('does not connect with a wrong password', async () => {
    const { us, peer } = start(program, { role: 'controlling' }, { role: 'controlled' })
    await signal(us, peer, { password: 'wrongwrongwrongwrongwrong' })
    // Checks are sent at once, and again after 0.5 s.
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(us.transport.state).toBe('checking')
    expect(us.transport.pairs().some(({ state }) => state === 'succeeded')).toBe(false)
    expect(peer.isConnected).toBe(false)
  })

  describe.skipIf(skip)('lite', () => {
    it('connects when we are lite', async () => {
      const { us, peer } = start(
        program,
        { role: 'controlled', lite: true },
        { role: 'controlling', remoteLite: true },
      )
      await signal(us, peer)
      await expectConnected(us, peer)
    })

    if (program !== 'werift') return
    it('connects when the peer is lite', async () => {
      const { us, peer } = start(program, { role: 'controlling' }, { role: 'controlled', lite: true })
      await signal(us, peer)
      await expectConnected(us, peer)
    })
  })

  it.skipIf(skip).each(roles)('repairs a role conflict: both %s', async (role) => {
    // libdatachannel takes its role from who makes the offer; the conflict is made by ours.
    const { us, peer } = start(program, { role }, { role })
    await signal(us, peer)
    await expectConnected(us, peer)
  })

  // aioice and libjuice know no restart.
  const restarting = program === 'libnice' || program === 'werift' ? roles : []
  it.skipIf(skip).each(restarting)('restarts, we are %s', async (role) => {
    const { us, peer } = start(program, { role }, { role: otherRole(role) })
    await signal(us, peer)
    await expectConnected(us, peer)
    const { ufrag } = us.transport.localDescription
    peer.send('restart')
    await peer.until(() => peer.gathered === 2)
    us.transport.restart()
    expect(us.transport.localDescription.ufrag).not.toBe(ufrag)
    await signal(us, peer, { generation: 2 })
    await peer.until(() => us.events.filter(({ type }) => type === 'selected-pair').length === 2)
    await expectData(us, peer)
  })

  describe.skipIf(skip)('through our TURN server', () => {
    let server: Child
    let ports: { udp: number; tcp: number }

    beforeAll(async () => {
      server = startCli([
        ...['serve', '--listen', 'udp://127.0.0.1:0', '--listen', 'tcp://127.0.0.1:0'],
        ...['--user', 'u:p', '--allow-peer', '127.0.0.0/8', '--log-format', 'json'],
      ])
      const [line] = await server.waitFor(/^\{"event":"listening".*\}$/m)
      const [udp, tcp] = JSON.parse(line).listeners.map((listener: { port: number }) => listener.port)
      ports = { udp, tcp }
    })

    afterAll(async () => {
      await server?.stop()
    })

    const access = (transport: 'udp' | 'tcp'): TurnAccess => ({
      host: '127.0.0.1',
      port: ports[transport],
      username: 'u',
      password: 'p',
      transport,
    })

    it.each(['udp', 'tcp'] as const)('connects when we use nothing but a relay by %s', async (transport) => {
      const servers = [
        { urls: `turn:127.0.0.1:${ports[transport]}?transport=${transport}`, username: 'u', credential: 'p' },
      ]
      const { us, peer } = start(
        program,
        { role: 'controlling', transportPolicy: 'relay', servers },
        { role: 'controlled' },
      )
      await signal(us, peer)
      await expectConnected(us, peer)
      expect(selected(us)?.local).toMatchObject({ type: 'relay', relayProtocol: transport })
    })

    // libjuice has no TURN over TCP.
    const theirs = program === 'node-datachannel' ? (['udp'] as const) : (['udp', 'tcp'] as const)
    it.each(theirs)('connects when the peer uses nothing but a relay by %s', async (transport) => {
      const { us, peer } = start(
        program,
        { role: 'controlling' },
        { role: 'controlled', turn: access(transport) },
      )
      await signal(us, peer)
      await expectConnected(us, peer)
      expect(selected(us)?.remote.address.ip).toBe('127.0.0.1')
      expect(peer.candidates.every((line) => line.includes('typ relay'))).toBe(true)
    })
  })
})
