/** Checks of the peer and their answers (RFC 8445 §7.3, RFC 8489 §9.1.3). */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { shortTermKey } from '../../src/stun/credentials.ts'
import { checkFingerprint, checkIntegrity } from '../../src/stun/integrity.ts'
import { checkOf, peerCredentials, type RequestParts, successTo } from '../support/ice-messages.ts'
import { decoded, hostAddress, peerAddress, SoloIce } from '../support/ice-solo.ts'

const elsewhere = TransportAddress.parse('198.51.100.9:9')

describe('a check of the peer', () => {
  it('is answered with where it came from, signed with our password', () => {
    const solo = SoloIce.ready()
    const answer = solo.check({}, elsewhere)!
    expect(answer.class).toBe('success')
    expect(answer.get('XOR-MAPPED-ADDRESS')?.toString()).toBe('198.51.100.9:9')
    const key = shortTermKey(solo.agent.localDescription.pwd)
    expect(checkIntegrity(answer, { algorithm: 'sha1', key })).toBe(true)
    expect(checkFingerprint(answer)).toBe(true)
    expect(answer.has('USERNAME')).toBe(false)
  })

  const refused: [string, RequestParts, number][] = [
    ['no username', { without: ['USERNAME'] }, 400],
    ['no message integrity', { without: ['integrity'] }, 400],
    ['a wrong password', { password: 'wrong' }, 401],
    ['the fragment of somebody else', { username: 'somebody:else' }, 401],
    ['a username without a colon', { username: 'nocolon' }, 401],
    ['no priority', { without: ['PRIORITY'] }, 400],
    ['priority 0', { priority: 0 }, 400],
    ['a priority above 2^31 - 1', { priority: 2 ** 31 }, 400],
    ['no role', { without: ['role'] }, 400],
    ['an attribute that we do not know and have to', { more: [['LIFETIME', 600]] }, 420],
  ]
  it.each(refused)('is refused: %s', (_name, parts, code) => {
    const solo = SoloIce.ready()
    solo.elapse(0)
    const before = solo.snapshot()
    expect(solo.check(parts, elsewhere)?.get('ERROR-CODE')?.code).toBe(code)
    expect(solo.snapshot()).toBe(before)
  })

  it.each([
    ['without a fingerprint', { without: ['fingerprint'] }],
    ['of another method', { method: 'Allocate' }],
  ] as [string, RequestParts][])('is dropped: %s', (_name, parts) => {
    const solo = SoloIce.ready()
    const before = solo.snapshot()
    expect(solo.check(parts, elsewhere)).toBeUndefined()
    expect(solo.snapshot()).toBe(before)
  })

  it('names the attribute that it does not know, signed like a success', () => {
    const solo = SoloIce.ready()
    const answer = solo.check({ more: [['LIFETIME', 600]] }, elsewhere)!
    expect(answer.get('UNKNOWN-ATTRIBUTES')).toEqual([0x000d])
    const key = shortTermKey(solo.agent.localDescription.pwd)
    expect(checkIntegrity(answer, { algorithm: 'sha1', key })).toBe(true)
  })

  it('needs no priority and no role where the path is known: a consent check of an old program', () => {
    const solo = SoloIce.connected()
    expect(solo.check({ without: ['PRIORITY', 'role'] })?.class).toBe('success')
  })

  it('at a socket that is gone is not answered', () => {
    const solo = SoloIce.ready()
    solo.agent.removeSocket(solo.agent.pairs()[0]!.local.socket, solo.now)
    expect(solo.check()).toBeUndefined()
    expect(solo.agent.drops['unknown-socket']).toBe(1)
  })
})

describe('checks that come before the credentials of the peer', () => {
  const early = () => {
    const solo = new SoloIce({ role: 'controlled' })
    solo.addHost()
    return solo
  }

  it('are answered at once, and followed by triggered checks when the credentials are there', () => {
    const solo = early()
    expect(solo.check()?.class).toBe('success')
    solo.elapse(1000)
    expect(solo.requests()).toEqual([])
    solo.describe()
    solo.elapse(0)
    const [request] = solo.requests()
    expect(request?.destination.equals(peerAddress)).toBe(true)
    expect(solo.agent.pairs()[0]?.remote.type).toBe('prflx')
  })

  it('nominate all the same', () => {
    const solo = early()
    solo.check({ nominate: true })
    solo.describe()
    solo.elapse(0)
    solo.answerAll()
    expect(solo.agent.state).toBe('completed')
  })

  it('of another generation of the peer are forgotten', () => {
    const solo = early()
    solo.check({ username: `${solo.agent.localDescription.ufrag}:older` })
    solo.describe()
    expect(solo.agent.pairs()).toEqual([])
  })

  it('are remembered within a limit', () => {
    const solo = early()
    for (let port = 1; port <= 40; port++) solo.check({}, peerAddress.withPort(port))
    expect(solo.agent.drops['too-many-early-checks']).toBe(8)
    solo.describe()
    expect(solo.agent.pairs()).toHaveLength(32)
  })

  it('let data of their senders through: the peer may have a valid pair already', () => {
    const solo = early()
    expect(solo.handle(Uint8Array.of(22, 1, 2, 3))).toBe('dropped')
    solo.check()
    expect(solo.handle(Uint8Array.of(22, 1, 2, 3))).toBe('data')
    expect(solo.handle(Uint8Array.of(22, 1, 2, 3), elsewhere)).toBe('dropped')
  })
})

describe('our checks', () => {
  it.each([
    ['controlling', 'ICE-CONTROLLING'],
    ['controlled', 'ICE-CONTROLLED'],
  ] as const)('carry what RFC 8445 §7.1 asks for: %s', (role, attribute) => {
    const solo = SoloIce.ready({ role })
    solo.elapse(0)
    const request = decoded(solo.requests()[0]!)
    expect(request.get('USERNAME')).toBe(`${peerCredentials.ufrag}:${solo.agent.localDescription.ufrag}`)
    expect(request.get('PRIORITY')).toBe(1_862_270_975)
    expect(request.has(attribute)).toBe(true)
    expect(request.has('USE-CANDIDATE')).toBe(false)
    const key = shortTermKey(peerCredentials.pwd)
    expect(checkIntegrity(request, { algorithm: 'sha1', key })).toBe(true)
    expect(checkFingerprint(request)).toBe(true)
  })

  it('have a new transaction each', () => {
    const solo = SoloIce.connected()
    solo.elapse(20_000)
    const ids = solo.requests().map((request) => decoded(request).transactionId.join())
    expect(new Set(ids).size).toBe(ids.length)
  })
})

it('a check is for the agent whose fragment it names, a response for the one that asked', () => {
  const solo = SoloIce.ready()
  const other = SoloIce.ready()
  const check = { bytes: checkOf(solo.agent) }
  expect(solo.agent.accepts(decoded(check))).toBe(true)
  expect(solo.agent.accepts(decoded({ bytes: checkOf(other.agent, { username: 'x:y' }) }))).toBe(false)
  solo.elapse(0)
  const { transactionId } = decoded(solo.requests()[0]!)
  const response = decoded({ bytes: successTo(transactionId, hostAddress) })
  expect(solo.agent.accepts(response)).toBe(true)
  expect(other.agent.accepts(response)).toBe(false)
})
