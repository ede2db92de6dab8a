import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKeySha256 } from '../../src/stun/credentials.ts'
import type { Message } from '../../src/stun/message.ts'
import type { AlternateServer } from '../../src/turn/alternate-server.ts'
import { firstStreamSocket } from '../../src/turn/socket-numbers.ts'
import { algorithm, algorithms, RawClient, signatureOf } from '../support/signing.ts'
import { codeOf, listening, realm, TurnHarness } from '../support/turn-harness.ts'

const udp: Attribute = ['REQUESTED-TRANSPORT', 17]
const at = (text: string) => TransportAddress.parse(text)
const plain = (text: string): AlternateServer => ({ address: at(text), transports: ['udp', 'tcp'] })
const tls = (text: string, domain?: string): AlternateServer => ({
  address: at(text),
  transports: ['tls'],
  domain,
})

function targets(answer: Message): string[] {
  expect(codeOf(answer)).toBe(300)
  return answer.all('ALTERNATE-SERVER').map(String)
}

describe('A server with alternates', () => {
  it('sends who has authenticated to them in turns, by signed answers of 300', () => {
    const harness = new TurnHarness({ alternates: [plain('192.0.2.1:3478'), plain('192.0.2.2:3478')] })
    const client = harness.client()
    expect(codeOf(new RawClient(harness).challenge())).toBe(401)
    const asked = Array.from({ length: 3 }, () => targets(client.request('Allocate', [udp])))
    expect(asked).toEqual([['192.0.2.1:3478'], ['192.0.2.2:3478'], ['192.0.2.1:3478']])
    expect(harness.relaySockets.size).toBe(0)
  })

  it('names one of the client\u2019s address family first, and one of the other after it', () => {
    const alternates = [plain('[2001:db8::9]:3478'), plain('192.0.2.1:3478')]
    const harness = new TurnHarness({ alternates })
    expect(targets(harness.client().request('Allocate', [udp]))).toEqual([
      '192.0.2.1:3478',
      '[2001:db8::9]:3478',
    ])
    const six = harness.client('alice', 'wonder', at('[2001:db8:5::5]:4000'))
    expect(targets(six.request('Allocate', [udp]))).toEqual(['[2001:db8::9]:3478', '192.0.2.1:3478'])
  })

  it('serves a client for whose family or transport there is none', () => {
    const harness = new TurnHarness({ alternates: [plain('192.0.2.1:3478'), tls('192.0.2.1:5349')] })
    expect(
      harness.client('alice', 'wonder', at('[2001:db8:5::5]:4000')).request('Allocate', [udp]).class,
    ).toBe('success')
    const other = new TurnHarness({ alternates: [tls('192.0.2.1:5349')] })
    other.client().allocate()
  })

  it('goes on with allocations that there are, a retransmission of their Allocate included', () => {
    const harness = new TurnHarness()
    const client = harness.client()
    client.nonce = client.challenge()
    const allocate = client.encode('Allocate', [udp])
    expect(client.exchange(allocate)?.class).toBe('success')
    harness.server.redirectTo([plain('192.0.2.1:3478')])
    expect(client.exchange(allocate)?.class).toBe('success')
    expect(codeOf(client.request('Allocate', [udp]))).toBe(437)
    expect(client.request('Refresh').class).toBe('success')
    expect(targets(harness.client().request('Allocate', [udp]))).toHaveLength(1)
    harness.server.redirectTo([])
    harness.client().allocate()
  })

  it('serves who comes for a port that is reserved here', () => {
    const harness = new TurnHarness()
    const answer = harness.client().request('Allocate', [udp, ['EVEN-PORT', { reserveNext: true }]])
    harness.server.redirectTo([plain('192.0.2.1:3478')])
    const token: Attribute = ['RESERVATION-TOKEN', answer.get('RESERVATION-TOKEN')!]
    expect(harness.client().request('Allocate', [udp, token]).class).toBe('success')
  })
})

describe('The name of an alternate server', () => {
  const key = longTermKeySha256('alice', realm, 'wonder')

  it('is told to TLS clients that authenticate by SHA-256, and to nobody else', () => {
    const harness = new TurnHarness({
      alternates: [tls('192.0.2.1:5349', 'turn2.example.org'), plain('192.0.2.1:3478')],
    })
    const modern = streamClient(harness, 'tls')
    const answer = modern.exchange(modern.sha256())
    expect(targets(answer)).toEqual(['192.0.2.1:5349'])
    expect(answer.get('ALTERNATE-DOMAIN')).toBe('turn2.example.org')
    expect(signatureOf(answer, key)).toBe('sha256')
    const old = streamClient(harness, 'tls')
    expect(old.exchange(old.sha1()).has('ALTERNATE-DOMAIN')).toBe(false)
    const tcp = streamClient(harness, 'tcp')
    const plainAnswer = tcp.exchange(tcp.sha256())
    expect(targets(plainAnswer)).toEqual(['192.0.2.1:3478'])
    expect(plainAnswer.has('ALTERNATE-DOMAIN')).toBe(false)
  })

  it('is right for both addresses, or the second is left out', () => {
    const domain = 'turn2.example.org'
    const alternates = [
      tls('192.0.2.1:5349', domain),
      tls('[2001:db8::8]:5349', 'other.example.org'),
      tls('[2001:db8::9]:5349', domain),
    ]
    const client = streamClient(new TurnHarness({ alternates }), 'tls')
    expect(targets(client.exchange(client.sha256()))).toEqual(['192.0.2.1:5349', '[2001:db8::9]:5349'])
    const single = streamClient(new TurnHarness({ alternates: alternates.slice(0, 2) }), 'tls')
    expect(targets(single.exchange(single.sha256()))).toEqual(['192.0.2.1:5349'])
  })

  /** A client of a TCP or TLS connection, which the engine is told of. */
  function streamClient(harness: TurnHarness, transport: 'tcp' | 'tls') {
    const socket = socketId(firstStreamSocket + harness.random.below(1000))
    harness.server.streamOpened(socket, transport, listening)
    const raw = new RawClient(harness, harness.newAddress(), socket)
    const nonce: Attribute = ['NONCE', raw.challenge().get('NONCE')!]
    const named: Attribute[] = [['USERNAME', 'alice'], ['REALM', realm], nonce]
    const alice = harness.client()
    return {
      exchange: (bytes: Uint8Array) => raw.exchange(bytes)!,
      sha1: () => raw.encode({ attributes: named, integrity: [{ algorithm: 'sha1', key: alice.key }] }),
      sha256: () =>
        raw.encode({
          attributes: [...named, algorithms(2, 1), algorithm(2)],
          integrity: [{ algorithm: 'sha256', key }],
        }),
    }
  }
})
