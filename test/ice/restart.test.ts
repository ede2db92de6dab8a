/** A restart puts a second generation beside the first, and data moves when that is connected (RFC 8445 §9). */

import { describe, expect, it } from 'vitest'
import { IceHarness, pathOf } from '../support/ice-harness.ts'
import { checkOf, peerCredentials } from '../support/ice-messages.ts'
import { decoded, peerAddress, SoloIce } from '../support/ice-solo.ts'

/** Both sides restart, and tell each other, with the given delay between the two. */
function restart(net: IceHarness, signalingMs = 20): void {
  net.a.agent.restart(net.now)
  net.drain(net.a)
  net.run(signalingMs)
  net.signal(net.a)
  net.run(signalingMs)
  net.signal(net.b)
}

describe('a restart', () => {
  it('changes the fragment and the password of both sides', () => {
    const net = new IceHarness().connected()
    const before = [net.a, net.b].map((of) => of.agent.localDescription)
    restart(net)
    for (const [i, of] of [net.a, net.b].entries()) {
      expect(of.agent.localDescription.ufrag).not.toBe(before[i]!.ufrag)
      expect(of.agent.localDescription.pwd).not.toBe(before[i]!.pwd)
    }
  })

  it('is made by the description of a peer that has restarted', () => {
    const net = new IceHarness().connected()
    net.a.agent.restart(net.now)
    net.drain(net.a)
    expect(net.b.agent.setRemoteDescription(net.a.agent.localDescription, net.now)).toBe('restarted')
    expect(net.b.agent.setRemoteDescription(net.a.agent.localDescription, net.now)).toBe('unchanged')
  })

  it('tells the candidates again, with the new fragment', () => {
    const net = new IceHarness().connected()
    const credentials = net.a.agent.restart(net.now)
    net.drain(net.a)
    const told = net.events(net.a, 'local-candidate')
    expect(told.map(({ ufrag }) => ufrag)).toEqual([told[0]!.ufrag, credentials.ufrag])
    expect(told[1]!.candidate.address).toEqual(told[0]!.candidate.address)
    expect(told[1]!.candidate.ufrag).toBe(credentials.ufrag)
  })

  it('interrupts nothing: data flows at every moment, and arrives', () => {
    const net = new IceHarness().connected()
    let sent = 0
    const chatter = () => {
      expect(net.sendData(net.a, `${sent}`)).toBe(true)
      expect(net.sendData(net.b, `${sent}`)).toBe(true)
      sent++
    }
    net.a.agent.restart(net.now)
    net.drain(net.a)
    for (let ms = 0; ms < 500; ms += 5) {
      chatter()
      if (ms === 20) net.signal(net.a)
      if (ms === 40) net.signal(net.b)
      net.run(5)
    }
    net.run(100)
    expect(net.a.received).toHaveLength(sent)
    expect(net.b.received).toHaveLength(sent)
    expect(net.states(net.a)).toEqual(['checking', 'connected', 'completed'])
    expect(net.events(net.a, 'selected-pair')).toHaveLength(2)
  })

  it('keeps the roles', () => {
    const net = new IceHarness().connected()
    restart(net)
    net.run(1000)
    expect([net.a.agent.role, net.b.agent.role]).toEqual(['controlling', 'controlled'])
    expect(net.events(net.a, 'role')).toEqual([])
  })

  it('retires the old generation, which answers a little longer', () => {
    const net = new IceHarness().connected()
    const { ufrag } = net.a.agent.localDescription
    restart(net)
    net.runUntil(() => net.events(net.a, 'selected-pair').length === 2)
    const switched = net.now
    net.runUntil(() => net.events(net.a, 'generation-retired').length > 0)
    expect(net.events(net.a, 'generation-retired')).toEqual([{ type: 'generation-retired', ufrag }])
    expect(net.now - switched).toBe(3000)
  })

  it('leads to another path where the old one has gone', () => {
    const net = new IceHarness().connected()
    net.lose = (packet) =>
      `${packet.destination}`.includes('198.51.100.1') || `${packet.source}`.includes('198.51.100.1')
    net.run(9000)
    expect(net.a.agent.state).toBe('disconnected')
    net.addHost(net.b, '198.51.100.2:6000')
    restart(net)
    net.run(1000)
    expect(net.a.agent.state).toBe('completed')
    expect(pathOf(net.a)).toBe('192.0.2.1:5000 → 198.51.100.2:6000')
  })

  it('that fails leaves the session as it was', () => {
    const net = new IceHarness().connected()
    const path = net.a.agent.sendPath()
    net.a.agent.restart(net.now)
    net.a.agent.setRemoteDescription({ ufrag: 'nobody', pwd: 'x'.repeat(22) }, net.now)
    net.drain(net.a)
    net.run(60_000)
    expect(net.events(net.a, 'restart-failed')).toHaveLength(1)
    expect(net.a.agent.state).toBe('completed')
    expect(net.a.agent.sendPath()).toBe(path)
  })

  it('revives a session that has failed', () => {
    const net = new IceHarness().connected()
    net.lose = () => true
    net.run(40_000)
    expect(net.a.agent.state).toBe('failed')
    net.lose = () => false
    restart(net)
    expect(net.a.agent.state).toBe('checking')
    net.run(1000)
    expect(net.states(net.a)).toEqual([
      ...['checking', 'connected', 'completed', 'disconnected', 'failed'],
      ...['checking', 'connected', 'completed'],
    ])
  })

  it('twice in a row ends with the second', () => {
    const net = new IceHarness().connected()
    net.a.agent.restart(net.now)
    net.run(10)
    restart(net)
    net.run(5000)
    expect(net.isCompleted).toBe(true)
    expect(net.events(net.a, 'selected-pair')).toHaveLength(2)
  })

  it.each([1, 5, 20, 60])('of both sides at once, told %i ms later, comes to an end', (signalingMs) => {
    const net = new IceHarness().connected()
    for (const of of [net.a, net.b]) {
      of.agent.restart(net.now)
      net.drain(of)
    }
    // Each tells whatever is new, whenever something is.
    const told = new Map<string, string>()
    for (let i = 0; i < 20; i++) {
      net.run(signalingMs)
      for (const of of [net.a, net.b]) {
        const { ufrag } = of.agent.localDescription
        if (told.get(of.name) === ufrag) continue
        told.set(of.name, ufrag)
        net.signal(of)
      }
    }
    net.run(1000)
    expect(net.isCompleted).toBe(true)
    expect(net.events(net.a, 'selected-pair').length).toBeLessThanOrEqual(3)
  })

  it('that crosses a restart of the peer begins anew with what has been told', () => {
    const net = new IceHarness()
    net.addHost(net.a, '192.0.2.1:5000')
    net.addHost(net.b, '198.51.100.1:5000')
    net.signal(net.b)
    net.a.agent.restart(net.now)
    net.drain(net.a)
    const before = net.a.agent.localDescription
    const told = net.events(net.a, 'local-candidate').length
    // To the description that we had, and to the one that we have.
    for (let i = 0; i < 2; i++) {
      net.b.agent.restart(net.now)
      net.drain(net.b)
      expect(net.a.agent.setRemoteDescription(net.b.agent.localDescription, net.now)).toBe(
        i === 0 ? 'set' : 'restarted',
      )
      if (i === 0) expect(net.a.agent.localDescription).toEqual(before)
      else expect(net.a.agent.localDescription).not.toEqual(before)
      net.drain(net.a)
      expect(net.events(net.a, 'local-candidate')).toHaveLength(told + i)
    }
    net.signalBoth()
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
  })

  it('of a peer whose session has failed, as ours has, makes us tell all again', () => {
    const net = new IceHarness().connected()
    net.lose = () => true
    expect(net.runUntil(() => net.a.agent.state === 'failed' && net.b.agent.state === 'failed')).toBe(true)
    net.lose = () => false
    net.b.agent.restart(net.now)
    net.drain(net.b)
    const before = net.a.agent.localDescription
    expect(net.a.agent.setRemoteDescription(net.b.agent.localDescription, net.now)).toBe('restarted')
    expect(net.a.agent.localDescription.ufrag).not.toBe(before.ufrag)
    net.drain(net.a)
    net.signalBoth()
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
  })

  it('while the session is still connecting takes its place', () => {
    const net = new IceHarness()
    net.addHost(net.a, '192.0.2.1:5000')
    net.addHost(net.b, '198.51.100.1:5000')
    net.signal(net.b)
    net.run(100)
    restart(net)
    net.run(1000)
    expect(net.isCompleted).toBe(true)
  })
})

/** As a browser does it: an offer with new credentials, and no end unless the answer has new ones (RFC 8839 §4.4.2). */
describe.each([
  ['we offer', 'a', 'b'],
  ['the peer offers', 'b', 'a'],
] as const)('a restart by offer and answer where %s', (_who, offerer, answerer) => {
  it.each([0, 20, 45, 65, 85, 200, 1000, 5000, 9999, 20_000])('%i ms after the first', (afterMs) => {
    const net = new IceHarness()
    net.addHost(net.a, '192.0.2.1:5000')
    net.addHost(net.b, '198.51.100.1:5000')
    const [x, y] = [net[offerer], net[answerer]]
    const answers = new Set<string>()
    const negotiate = () => {
      net.signal(x)
      net.run(20)
      const { ufrag } = y.agent.localDescription
      expect(answers).not.toContain(ufrag)
      answers.add(ufrag)
      net.signal(y)
    }
    negotiate()
    net.run(afterMs)
    for (let i = 0; i < 3; i++) {
      x.agent.restart(net.now)
      net.drain(x)
      negotiate()
    }
    expect(net.runUntil(() => net.isCompleted, 1000)).toBe(true)
    const [ours, theirs] = [x.agent.localDescription, y.agent.localDescription]
    net.run(20_000)
    expect([x.agent.localDescription, y.agent.localDescription]).toEqual([ours, theirs])
    expect(net.isCompleted).toBe(true)
    net.sendData(net.a, 'still there')
    net.run(100)
    expect(net.b.received).toEqual(['still there'])
  })
})

describe('a restart that the peer has not answered yet', () => {
  it('does not keep the session from following the peer to a new address', () => {
    const net = new IceHarness({}, {}, { natB: { mapping: 'EIM', filtering: 'APDF' } }).connected()
    net.run(10_000)
    net.a.agent.restart(net.now)
    net.drain(net.a)
    net.b.nat!.rebind()
    net.run(8000)
    net.b.received.length = 0
    net.sendData(net.a, 'still there?')
    net.run(100)
    expect(net.b.received).toEqual(['still there?'])
  })
})

describe('after a restart of ours', () => {
  const restarted = () => {
    const solo = SoloIce.connected()
    const old = solo.agent.localDescription
    solo.agent.restart(solo.now)
    solo.drain()
    solo.takeOutputs()
    return { solo, old }
  }

  it('checks with the old fragment are answered with the old password', () => {
    const { solo, old } = restarted()
    const username = `${old.ufrag}:peerfrag`
    expect(solo.check({ username, password: old.pwd })?.class).toBe('success')
    expect(solo.check({ username })?.class).toBe('error')
  })

  it('consent of the old path is kept up (RFC 7675 §5.1)', () => {
    const { solo, old } = restarted()
    solo.elapse(6000)
    const [consent] = solo.requests()
    expect(consent?.purpose).toBe('consent')
    expect(decoded(consent!).get('USERNAME')).toBe(`peerfrag:${old.ufrag}`)
  })

  it('candidates of the peer wait for its new description', () => {
    const { solo } = restarted()
    expect(solo.addRemote(peerAddress, '1 1 udp 2130706431 HOST PORT typ host ufrag newfrag')).toBe(
      'buffered',
    )
    expect(solo.addRemote(peerAddress, '2 1 udp 2130706431 HOST PORT typ host ufrag peerfrag')).toBe(
      'buffered',
    )
    solo.takeOutputs()
    solo.describe({ ufrag: 'newfrag', pwd: 'y'.repeat(22) })
    expect(solo.agent.pairs()).toHaveLength(1)
    expect(solo.takeOutputs()).toContainEqual(
      expect.objectContaining({ type: 'remote-candidate-ignored', reason: 'old-generation' }),
    )
  })

  it('what the peer has told counts again where it answers with the credentials that it had', () => {
    const { solo } = restarted()
    solo.describe({ ufrag: 'peerfrag', pwd: peerCredentials.pwd })
    expect(solo.agent.pairs()).toHaveLength(1)
  })

  it('checks that know the new fragment already wait for the description', () => {
    const { solo } = restarted()
    const { ufrag } = solo.agent.localDescription
    solo.handle(checkOf(solo.agent, { username: `${ufrag}:newfrag` }))
    expect(solo.agent.pairs()).toEqual([])
    solo.describe({ ufrag: 'newfrag', pwd: 'y'.repeat(22) })
    expect(solo.agent.pairs()[0]?.remote.type).toBe('prflx')
  })
})
