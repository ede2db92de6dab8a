/** Requests that somebody on the way has changed, and requests that carry what one of their own would not. */

import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { crcOf } from '../../src/stun/integrity.ts'
import { codeOf, peerA, peerB, realm, type TurnClient, TurnHarness, text } from '../support/turn-harness.ts'

function allocated(): { harness: TurnHarness; client: TurnClient } {
  const harness = new TurnHarness()
  const client = harness.client()
  client.allocate()
  harness.takeOutputs()
  return { harness, client }
}

function append(bytes: Uint8Array, attributes: readonly Attribute[], withFingerprint = false): Uint8Array {
  const more = encodeMessage({
    class: 'request',
    method: 'Refresh',
    transactionId: bytes.slice(8, 20),
    attributes,
  })
  const fingerprint = withFingerprint ? [0x80, 0x28, 0, 4, 0, 0, 0, 0] : []
  const all = new Uint8Array([...bytes, ...more.subarray(20), ...fingerprint])
  all.set([(all.length - 20) >> 8, (all.length - 20) & 255], 2)
  if (withFingerprint)
    new DataView(all.buffer).setUint32(all.length - 4, crcOf(all.subarray(0, all.length - 8)))
  return all
}

describe.each([false, true])(
  'what is appended behind the integrity (with a right fingerprint: %s)',
  (withFingerprint) => {
    it('permits no peer', () => {
      const { client } = allocated()
      const bytes = append(
        client.encode('CreatePermission', [['XOR-PEER-ADDRESS', peerA]]),
        [['XOR-PEER-ADDRESS', peerB]],
        withFingerprint,
      )
      expect(client.exchange(bytes)?.class).toBe('success')
      expect(client.sendIndication(peerB, text('x'))).toBeUndefined()
      expect(client.sendIndication(peerA, text('x'))).toBeDefined()
    })

    it('stands for nothing that is missing before it', () => {
      const { client } = allocated()
      const bytes = append(
        client.encode('CreatePermission', []),
        [['XOR-PEER-ADDRESS', peerB]],
        withFingerprint,
      )
      expect(codeOf(client.exchange(bytes))).toBe(400)
    })

    it('ends no allocation', () => {
      const { harness, client } = allocated()
      const bytes = append(client.encode('Refresh', []), [['LIFETIME', 0]], withFingerprint)
      expect(client.exchange(bytes)?.get('LIFETIME')).toBe(600)
      expect(harness.server.counters.allocations).toBe(1)
    })

    it('is not even unknown', () => {
      const { client } = allocated()
      const bytes = append(
        client.encode('Refresh', []),
        [
          ['PRIORITY', 1],
          ['USE-CANDIDATE', true],
        ],
        withFingerprint,
      )
      expect(client.exchange(bytes)?.class).toBe('success')
    })
  },
)

describe('a duplicate attribute', () => {
  it('counts for nothing, where there is to be one', () => {
    const { client } = allocated()
    expect(
      client
        .request('Refresh', [
          ['LIFETIME', 1800],
          ['LIFETIME', 0],
        ])
        .get('LIFETIME'),
    ).toBe(1800)
    client.permit(peerA, peerB)
    const sent = client.sendIndication(peerA, text('first'), [
      ['XOR-PEER-ADDRESS', peerB],
      ['DATA', text('second')],
    ])
    expect(sent).toMatchObject({ destination: `${peerA}`, bytes: text('first') })
  })

  it('of USERNAME makes nobody else of a client', () => {
    const { harness, client } = allocated()
    // The first USERNAME is bob's, and bob's key has not signed it.
    const bytes = client.encode('Refresh', [
      ['USERNAME', 'bob'],
      ['LIFETIME', 0],
    ])
    expect(codeOf(client.exchange(bytes))).toBe(401)
    expect(harness.server.counters.allocations).toBe(1)
  })
})

describe('a request that is no STUN message', () => {
  /** Which byte, from the end if it is negative, and what becomes of it. */
  const damages: [string, number, (byte: number) => number][] = [
    ['another magic cookie', 4, (byte) => byte ^ 1],
    ['one of the two top bits', 0, (byte) => byte | 0x80],
    ['the other of the two top bits', 0, (byte) => byte | 0x40],
    ['a length that is too long', 3, (byte) => byte + 4],
    ['a length that is too short', 3, (byte) => byte - 4],
    ['a length that is no multiple of four', 3, (byte) => byte + 1],
    ['an attribute that runs over the end', 22, () => 0xff],
    ['a wrong fingerprint', -1, (byte) => byte ^ 1],
  ]
  it.each(damages)('for %s gets no answer, not even a 400', (_name, at, damage) => {
    const { harness, client } = allocated()
    const bytes = append(client.encode('Refresh', [['LIFETIME', 0]]), [], true)
    expect(bytes.length).toBeGreaterThan(100)
    bytes.set([damage(bytes.at(at)!)], at < 0 ? bytes.length + at : at)
    expect(client.exchange(bytes)).toBeUndefined()
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.allocations).toBe(1)
  })

  it('for its length, whatever that says, gets no answer', () => {
    const { harness, client } = allocated()
    const bytes = client.encode('Refresh', [['LIFETIME', 0]])
    for (let length = 0; length < 65_536; length += 1) {
      if (length === bytes.length - 20) continue
      const lying = bytes.slice()
      lying.set([length >> 8, length & 255], 2)
      if (client.exchange(lying) !== undefined) throw new Error(`an answer to length ${length}`)
    }
    expect(harness.server.counters.allocations).toBe(1)
  })

  it('for being cut off anywhere, or having a byte too many, gets no answer', () => {
    const { client } = allocated()
    const bytes = client.encode('Refresh', [['LIFETIME', 0]])
    for (let end = 0; end < bytes.length; end++) expect(client.exchange(bytes.slice(0, end))).toBeUndefined()
    expect(client.exchange(new Uint8Array([...bytes, 0]))).toBeUndefined()
  })
})

describe('a request with one bit changed', () => {
  it('does nothing: every bit of it is covered by the integrity, or leads to another five-tuple or method', () => {
    const { harness, client } = allocated()
    const bytes = client.encode('Refresh', [['LIFETIME', 0]])
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice()
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const answer = client.exchange(changed)
      if (answer?.class === 'success' && answer.method !== 'Binding')
        throw new Error(`bit ${bit} made no difference`)
    }
    expect(harness.server.counters.allocations).toBe(1)
  })
})

describe('names that are meant for something else', () => {
  const names = [
    ...[
      '',
      'a'.repeat(508),
      'a'.repeat(763),
      'nul\u0000byte',
      'two\r\nlines',
      '%s%n%x',
      '"quoted\'',
      '$(reboot)',
    ],
    ...[
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      '../../etc/passwd',
      '<script>',
      '\u202ereversed',
      '1; DROP TABLE',
    ],
  ]
  it.each(names)('are nobody\u2019s: USERNAME %j gets 401', (name) => {
    const client = new TurnHarness().client('alice', 'wonder')
    client.nonce = client.challenge()
    const answer = client.exchange(
      client.encode('Allocate', [['REQUESTED-TRANSPORT', 17]], { username: name }),
    )
    expect(codeOf(answer)).toBe(401)
  })

  it('and are no name when they are not UTF-8', () => {
    const client = new TurnHarness().client()
    client.nonce = client.challenge()
    const bytes = client.encode('Allocate', [['REQUESTED-TRANSPORT', 17]])
    const at = Buffer.from(bytes).indexOf('alice')
    bytes.set([0xff, 0xfe, 0x80], at)
    expect(codeOf(client.exchange(bytes))).toBe(401)
  })

  it.each(['NONCE', 'REALM', 'USERNAME'] as const)('a %s longer than 763 bytes is refused', (name) => {
    const client = new TurnHarness().client()
    const nonce = client.challenge()
    const long = 'x'.repeat(764)
    const credentials: Attribute[] = [
      ['USERNAME', name === 'USERNAME' ? long : 'alice'],
      ['REALM', name === 'REALM' ? long : realm],
      ['NONCE', name === 'NONCE' ? long : nonce],
    ]
    const bytes = encodeMessage(
      {
        class: 'request',
        method: 'Allocate',
        transactionId: new Uint8Array(12),
        attributes: [['REQUESTED-TRANSPORT', 17], ...credentials],
      },
      { integrity: [{ algorithm: 'sha1', key: client.key }] },
    )
    expect([400, 401, 438]).toContain(codeOf(client.exchange(bytes)))
  })
})
