import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey, longTermKeySha256, userHash } from '../../src/stun/credentials.ts'
import { checkIntegrity } from '../../src/stun/integrity.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { parseNonceCookie } from '../../src/stun/nonce-cookie.ts'
import { staticCredentials } from '../../src/turn/credentials.ts'
import { algorithm, algorithms, hasIntegrity, RawClient, signatureOf } from '../support/signing.ts'
import { codeOf, peerA, realm, TurnHarness, text } from '../support/turn-harness.ts'

const md5Key = longTermKey('alice', realm, 'wonder')
const sha256Key = longTermKeySha256('alice', realm, 'wonder')
const offered = algorithms(2, 1)

function setUp(options: ConstructorParameters<typeof TurnHarness>[0] = {}) {
  const client = new RawClient(new TurnHarness(options))
  const nonce: Attribute = ['NONCE', client.challenge().get('NONCE')!]
  const named: Attribute[] = [['USERNAME', 'alice'], ['REALM', realm], nonce]
  return { client, nonce, named }
}

describe('A challenge', () => {
  it('answers a request without integrity: 401 with REALM, NONCE, PASSWORD-ALGORITHMS and nothing else', () => {
    const answer = new RawClient(new TurnHarness()).challenge()
    expect(codeOf(answer)).toBe(401)
    expect(answer.types()).toEqual([0x0009, 0x0014, 0x0015, 0x8002])
    expect(answer.get('REALM')).toBe(realm)
    expect(answer.get('PASSWORD-ALGORITHMS')?.map((entry) => entry.algorithm)).toEqual([2, 1])
  })

  it('answers it again when it comes again, and keeps nothing of either', () => {
    const harness = new TurnHarness()
    const client = new RawClient(harness)
    const [first, second] = [client.challenge(), client.challenge()]
    expect([codeOf(first), codeOf(second)]).toEqual([401, 401])
    expect(second.types()).toEqual(first.types())
    expect([harness.server.pollTimeout(), harness.relaySockets.size]).toEqual([undefined, 0])
  })

  it('says by the nonce cookie what it offers: password algorithms, and names as hashes', () => {
    const cookie = parseNonceCookie(new RawClient(new TurnHarness()).challenge().get('NONCE')!)
    expect(cookie).toEqual({ passwordAlgorithms: true, userAnonymity: true })
  })

  it('offers MD5 alone where a user has no other key', () => {
    const users = [{ name: 'alice', key: md5Key }]
    const { client, named } = setUp({ credentials: staticCredentials(realm, users) })
    expect(
      client
        .challenge()
        .get('PASSWORD-ALGORITHMS')
        ?.map((entry) => entry.algorithm),
    ).toEqual([1])
    const modern = client.send({
      attributes: [...named, algorithms(1), algorithm(1)],
      integrity: [{ algorithm: 'sha256', key: md5Key }],
    })
    expect(modern?.class).toBe('success')
    expect(signatureOf(modern, md5Key)).toBe('sha256')
    const { client: other, named: otherNamed } = setUp({ credentials: staticCredentials(realm, users) })
    expect(
      other.send({ attributes: otherNamed, integrity: [{ algorithm: 'sha1', key: md5Key }] })?.class,
    ).toBe('success')
  })

  it.each([
    ['turnpike', 92],
    ['sixteen-letters.', 100],
  ])('has, for the realm %s, %i bytes', (name, bytes) => {
    const harness = new TurnHarness({
      realm: name,
      credentials: staticCredentials(name, [{ name: 'a', password: 'b' }]),
    })
    expect(new RawClient(harness).challenge().bytes).toHaveLength(bytes)
  })
})

describe('A request is served that is signed', () => {
  const ways: [
    string,
    (nonce: Attribute) => Attribute[],
    'sha1' | 'sha256',
    Uint8Array,
    'sha1' | 'sha256',
  ][] = [
    ['as by RFC 5389', (nonce) => [['USERNAME', 'alice'], ['REALM', realm], nonce], 'sha1', md5Key, 'sha1'],
    [
      'by SHA-256 with the SHA-256 key',
      (nonce) => [['USERNAME', 'alice'], ['REALM', realm], nonce, offered, algorithm(2)],
      'sha256',
      sha256Key,
      'sha256',
    ],
    [
      'by SHA-256 with the MD5 key, when MD5 is chosen',
      (nonce) => [['USERNAME', 'alice'], ['REALM', realm], nonce, offered, algorithm(1)],
      'sha256',
      md5Key,
      'sha256',
    ],
    [
      'by SHA-1 with the SHA-256 key: the answer is by SHA-256 all the same',
      (nonce) => [['USERNAME', 'alice'], ['REALM', realm], nonce, offered, algorithm(2)],
      'sha1',
      sha256Key,
      'sha256',
    ],
    [
      'by SHA-256 without a choice, which is MD5: the answer is by SHA-1',
      (nonce) => [['USERNAME', 'alice'], ['REALM', realm], nonce],
      'sha256',
      md5Key,
      'sha1',
    ],
    [
      'with USERHASH in place of the name',
      (nonce) => [['USERHASH', userHash('alice', realm)], ['REALM', realm], nonce, offered, algorithm(2)],
      'sha256',
      sha256Key,
      'sha256',
    ],
    [
      'with USERHASH, as by RFC 5389',
      (nonce) => [['USERHASH', userHash('alice', realm)], ['REALM', realm], nonce],
      'sha1',
      md5Key,
      'sha1',
    ],
  ]
  it.each(ways)('%s', (_name, attributesWith, request, key, response) => {
    const { client, nonce } = setUp()
    const integrity = [{ algorithm: request, key }]
    const answer = client.send({ attributes: attributesWith(nonce), integrity })
    expect(answer?.class).toBe('success')
    expect(signatureOf(answer, key)).toBe(response)
    expect(answer?.types()).not.toContain(0x0006)
    // And again on the allocation: what is known of the client changes nothing of it.
    const refresh = client.send({ method: 'Refresh', attributes: attributesWith(nonce), integrity })
    expect(refresh?.get('LIFETIME')).toBe(600)
    expect(signatureOf(refresh, key)).toBe(response)
  })

  it('twice: of the two integrities SHA-256 counts', () => {
    const { client, named } = setUp()
    const attributes = [...named, offered, algorithm(2)]
    const right = { algorithm: 'sha256', key: sha256Key } as const
    const wrong = { algorithm: 'sha1', key: text('wrong') } as const
    expect(client.send({ attributes, integrity: [wrong, right] })?.class).toBe('success')
    const { client: other, named: otherNamed } = setUp()
    const swapped = [
      { ...wrong, key: md5Key },
      { ...right, key: text('wrong') },
    ]
    expect(codeOf(other.send({ attributes: otherNamed, integrity: swapped }))).toBe(401)
  })

  it('and a refusal is signed as a success is', () => {
    const { client, named } = setUp()
    const attributes = [...named, offered, algorithm(2)]
    const integrity = [{ algorithm: 'sha256', key: sha256Key }] as const
    const answer = client.send({ method: 'CreatePermission', attributes, integrity })
    expect(codeOf(answer)).toBe(437)
    expect(signatureOf(answer, sha256Key)).toBe('sha256')
    expect(answer?.types()).toEqual([0x0009, 0x001c])
  })
})

describe('A request is refused with 400, without integrity, realm and nonce', () => {
  const faults: [string, (named: Attribute[], nonce: Attribute) => Attribute[]][] = [
    ['without name and hash', (_, nonce) => [['REALM', realm], nonce]],
    ['without REALM', (_, nonce) => [['USERNAME', 'alice'], nonce]],
    [
      'without NONCE',
      () => [
        ['USERNAME', 'alice'],
        ['REALM', realm],
      ],
    ],
    ['with PASSWORD-ALGORITHM alone', (named) => [...named, algorithm(2)]],
    ['with PASSWORD-ALGORITHMS alone', (named) => [...named, offered]],
    ['with an algorithm taken off the list', (named) => [...named, algorithms(1), algorithm(1)]],
    ['with an algorithm put on the list', (named) => [...named, algorithms(2, 1, 3), algorithm(2)]],
    ['with the list in another order', (named) => [...named, algorithms(1, 2), algorithm(1)]],
    ['with an algorithm that is not on the list', (named) => [...named, offered, algorithm(3)]],
    [
      'with parameters that no algorithm has',
      (named) => [...named, offered, ['PASSWORD-ALGORITHM', { algorithm: 2, parameters: text('abcd') }]],
    ],
  ]
  it.each(faults)('%s', (_name, attributesOf) => {
    const { client, named, nonce } = setUp()
    for (const integrity of [
      { algorithm: 'sha1', key: md5Key },
      { algorithm: 'sha256', key: sha256Key },
    ] as const) {
      const answer = client.send({ attributes: attributesOf(named, nonce), integrity: [integrity] })
      expect(codeOf(answer)).toBe(400)
      expect(answer?.types()).toEqual([0x0009])
    }
  })
})

describe('Bidding down', () => {
  it('is found out when the cookie is taken off the nonce: 438 with a new one', () => {
    const { client, nonce } = setUp()
    const stripped = `obMatJos2AAAA${nonce[1]?.toString().slice(13)}`
    const answer = client.send({
      attributes: [
        ['USERNAME', 'alice'],
        ['REALM', realm],
        ['NONCE', stripped],
      ],
      integrity: [{ algorithm: 'sha1', key: md5Key }],
    })
    expect(codeOf(answer)).toBe(438)
    expect(parseNonceCookie(answer!.get('NONCE')!)?.passwordAlgorithms).toBe(true)
    expect(answer?.get('PASSWORD-ALGORITHMS')).toHaveLength(2)
  })

  it('of a client that knows MD5 only is not told from such a client, and is harmless', () => {
    const { client, named } = setUp()
    const answer = client.send({ attributes: named, integrity: [{ algorithm: 'sha1', key: md5Key }] })
    expect(answer?.class).toBe('success')
  })
})

describe('A wrong or unknown user', () => {
  it('gets one and the same 401, byte for byte but for nonce and transaction', () => {
    const { client, nonce } = setUp()
    const answers = [
      [['USERNAME', 'alice'], md5Key.slice().fill(1)],
      [['USERNAME', 'nobody'], longTermKey('nobody', realm, 'x')],
      [['USERHASH', userHash('nobody', realm)], md5Key],
      [['USERNAME', 'alice'], sha256Key],
    ] as [Attribute, Uint8Array][]
    const bytes = answers.map(([name, key]) => {
      const answer = client.send({
        attributes: [name, ['REALM', realm], nonce],
        integrity: [{ algorithm: 'sha1', key }],
        transactionId: new Uint8Array(12),
      })!
      expect(codeOf(answer)).toBe(401)
      expect(hasIntegrity(answer)).toBe(false)
      return answer.bytes
    })
    for (const other of bytes) expect(other).toEqual(bytes[0])
  })

  it('is one that names another realm', () => {
    const { client, nonce } = setUp()
    const answer = client.send({
      attributes: [['USERNAME', 'alice'], ['REALM', 'example.com'], nonce],
      integrity: [{ algorithm: 'sha1', key: md5Key }],
    })
    expect(codeOf(answer)).toBe(401)
    expect(answer?.get('REALM')).toBe(realm)
  })

  it.each([16, 20, 24, 28])(
    'is one whose MESSAGE-INTEGRITY-SHA256 is cut to %i bytes: TURN allows no truncation',
    (bytes) => {
      const { client, named } = setUp()
      const cut = truncated(client.encode({ attributes: [...named, offered, algorithm(2)] }), bytes)
      const message = decodeMessage(cut)
      if (typeof message === 'string') throw new Error(message)
      // It is right, for a usage that allows for it.
      expect(checkIntegrity(message, { algorithm: 'sha256', key: sha256Key }, 16)).toBe(true)
      expect(codeOf(client.exchange(cut))).toBe(401)
    },
  )
})

describe('A nonce', () => {
  const integrity = [{ algorithm: 'sha1', key: md5Key }] as const

  it('is good for its lifetime: then 438, signed, and a new one goes on with the same allocation', () => {
    const { client, named } = setUp({ nonceLifetime: 100 })
    const { harness } = client
    expect(client.send({ attributes: named, integrity })?.class).toBe('success')
    harness.elapse(99)
    expect(client.send({ method: 'Refresh', attributes: named, integrity })?.class).toBe('success')
    harness.elapse(1)
    const stale = client.send({ method: 'Refresh', attributes: named, integrity })
    expect(codeOf(stale)).toBe(438)
    expect(signatureOf(stale, md5Key)).toBe('sha1')
    expect(stale?.types()).toEqual([0x0009, 0x0014, 0x0015, 0x8002, 0x8022, 0x0008])
    const renewed: Attribute[] = [...named.slice(0, 2), ['NONCE', stale!.get('NONCE')!]]
    expect(client.send({ method: 'Refresh', attributes: renewed, integrity })?.class).toBe('success')
    expect(codeOf(client.send({ method: 'Refresh', attributes: named, integrity }))).toBe(438)
  })

  it('of another client is no good, nor is one that was made up', () => {
    const harness = new TurnHarness()
    const one = new RawClient(harness)
    const other = new RawClient(harness)
    const stolen = one.challenge().get('NONCE')!
    const forged = `${stolen.slice(0, -1)}${stolen.endsWith('A') ? 'B' : 'A'}`
    const attempts: [RawClient, string][] = [
      [other, stolen],
      [one, forged],
      [one, ''],
      [one, `${stolen}A`],
      [one, stolen.slice(0, -1)],
      [one, '\u00e9'.repeat(300)],
    ]
    for (const [client, nonce] of attempts) {
      const attributes: Attribute[] = [
        ['USERNAME', 'alice'],
        ['REALM', realm],
        ['NONCE', nonce],
      ]
      const answer = client.send({ attributes, integrity })
      expect(codeOf(answer)).toBe(438)
      expect(answer?.get('NONCE')).not.toBe(nonce)
    }
  })

  it('differs between two ports of one host', () => {
    const harness = new TurnHarness()
    const one = new RawClient(harness)
    const other = new RawClient(harness, one.address.withPort(one.address.port + 1))
    expect(one.challenge().get('NONCE')).not.toBe(other.challenge().get('NONCE'))
  })
})

describe('The password of a user that has an allocation', () => {
  it('may change: the allocation goes on with the old one and with the new', () => {
    const alice = (password: string) => staticCredentials(realm, [{ name: 'alice', password }])
    let store = alice('wonder')
    const credentials = {
      algorithms: store.algorithms,
      knowsUserHashes: true,
      find: (name: Uint8Array) => store.find(name),
      findByHash: (hash: Uint8Array) => store.findByHash(hash),
    }
    const { client, named } = setUp({ credentials })
    const send = (key: Uint8Array) =>
      client.send({
        method: 'CreatePermission',
        attributes: [...named, ['XOR-PEER-ADDRESS', peerA]],
        integrity: [{ algorithm: 'sha1', key }],
      })
    client.send({ attributes: named, integrity: [{ algorithm: 'sha1', key: md5Key }] })
    store = alice('new')
    expect(send(md5Key)?.class).toBe('success')
    const newKey = longTermKey('alice', realm, 'new')
    expect(signatureOf(send(newKey), newKey)).toBe('sha1')
    expect(codeOf(send(md5Key))).toBe(401)
  })
})

/** The message signed by the first `length` bytes of its HMAC-SHA256 (RFC 8489 §14.6). */
function truncated(message: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(message.length + 4 + length)
  bytes.set(message)
  bytes[3] = bytes.length - 20
  const digest = createHmac('sha256', sha256Key).update(bytes.subarray(0, message.length)).digest()
  bytes.set([0, 0x1c, 0, length, ...digest.subarray(0, length)], message.length)
  return bytes
}
