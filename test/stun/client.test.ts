import { describe, expect, it } from 'vitest'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { StunClient } from '../../src/stun/client.ts'
import type { StunClientOptions, StunClientOutput } from '../../src/stun/client-contract.ts'
import { longTermKey, longTermKeySha256, userHash } from '../../src/stun/credentials.ts'
import { type EncodeOptions, encodeMessage } from '../../src/stun/encode.ts'
import { checkFingerprint, checkIntegrity, type IntegrityKey } from '../../src/stun/integrity.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import type { MessageClass, MethodName } from '../../src/stun/methods.ts'
import { formatNonceCookie } from '../../src/stun/nonce-cookie.ts'
import { seededRandom } from '../support/random.ts'

const server = TransportAddress.of('192.0.2.1', 3478)
const elsewhere = TransportAddress.of('192.0.2.2', 3478)
const mapped: Attribute = ['XOR-MAPPED-ADDRESS', TransportAddress.of('203.0.113.5', 4000)]
const longTerm = { type: 'long-term', username: 'alice', password: 'wonder' } as const
const realm = 'example.org'
const md5Key: IntegrityKey = { algorithm: 'sha1', key: longTermKey('alice', realm, 'wonder') }
const sha256Key: IntegrityKey = { algorithm: 'sha256', key: longTermKeySha256('alice', realm, 'wonder') }
const noParameters = new Uint8Array(0)
const both: Attribute = [
  'PASSWORD-ALGORITHMS',
  [
    { algorithm: 2, parameters: noParameters },
    { algorithm: 1, parameters: noParameters },
  ],
]
const algorithmsNonce = `${formatNonceCookie({ passwordAlgorithms: true, userAnonymity: false })}1`
const anonymousNonce = `${formatNonceCookie({ passwordAlgorithms: true, userAnonymity: true })}1`

/** A client, its clock, and a server that the test plays. */
class Exchange {
  readonly client: StunClient<string>
  now: Instant = instant(0)
  readonly outputs: StunClientOutput<string>[] = []

  constructor(options: Partial<StunClientOptions> = {}) {
    this.client = new StunClient({ server, isReliable: false, ...options }, seededRandom(3))
  }

  ask(context = 'it', attributes: readonly Attribute[] = [], more: object = {}): Message {
    this.client.request({ method: 'Binding', attributes, context, ...more }, this.now)
    return this.lastRequest()
  }

  lastRequest(): Message {
    this.drain()
    const sent = this.outputs.filter((output) => output.type === 'transmit')
    return decodeMessage(sent.at(-1)!.bytes) as Message
  }

  get sentCount(): number {
    this.drain()
    return this.outputs.filter(({ type }) => type === 'transmit').length
  }

  answer(
    request: Message,
    messageClass: MessageClass,
    attributes: readonly Attribute[],
    options: EncodeOptions & { source?: TransportAddress; method?: MethodName } = {},
  ): boolean {
    const method = options.method ?? request.method!
    const transactionId = request.transactionId.slice()
    const bytes = encodeMessage({ class: messageClass, method, transactionId, attributes }, options)
    return this.handIn(bytes, options.source)
  }

  refuse(
    request: Message,
    code: number,
    attributes: readonly Attribute[] = [],
    options: EncodeOptions = {},
  ): void {
    this.answer(request, 'error', [['ERROR-CODE', { code, reason: '' }], ...attributes], options)
  }

  handIn(bytes: Uint8Array, source = server): boolean {
    const isOurs = this.client.handleDatagram(bytes, source, this.now)
    this.drain()
    return isOurs
  }

  elapse(milliseconds: number): void {
    const end = later(this.now, milliseconds)
    for (
      let due = this.client.pollTimeout();
      due !== undefined && due <= end;
      due = this.client.pollTimeout()
    ) {
      expect(due).toBeGreaterThanOrEqual(this.now)
      this.now = due
      this.client.handleTimeout(due)
      this.drain()
    }
    this.now = end
  }

  drain(): void {
    for (let output = this.client.poll(); output !== undefined; output = this.client.poll()) {
      this.outputs.push(output)
    }
  }

  /** What has become of the requests. */
  get results(): unknown[] {
    return this.outputs.flatMap((output) => {
      if (output.type === 'answered') return [[output.context, 'answered', output.roundTripMs]]
      return output.type === 'failed' ? [[output.context, output.failure.type]] : []
    })
  }
}

describe('a request', () => {
  it('is answered by the response with its transaction ID', () => {
    const exchange = new Exchange()
    const request = exchange.ask('it', [['CHANGE-REQUEST', { changeIp: false, changePort: false }]])
    expect(request.class).toBe('request')
    expect(request.types()).toEqual([0x0003])
    exchange.now = instant(42)
    expect(exchange.answer(request, 'success', [mapped])).toBe(true)
    expect(exchange.results).toEqual([['it', 'answered', 42]])
    expect(exchange.answer(request, 'success', [mapped])).toBe(false)
    expect(exchange.client.pollTimeout()).toBeUndefined()
  })

  it('is not answered from another address, by another method, or by a message with a wrong fingerprint', () => {
    const exchange = new Exchange()
    const request = exchange.ask()
    expect(exchange.answer(request, 'success', [mapped], { source: elsewhere })).toBe(false)
    expect(exchange.answer(request, 'success', [mapped], { source: server.withPort(1) })).toBe(false)
    expect(exchange.answer(request, 'success', [mapped], { method: 'Allocate' })).toBe(false)
    expect(exchange.answer(request, 'request', [mapped])).toBe(false)
    expect(exchange.answer(request, 'indication', [mapped])).toBe(false)
    const bytes = encodeMessage(
      {
        class: 'success',
        method: 'Binding',
        transactionId: request.transactionId.slice(),
        attributes: [mapped],
      },
      { fingerprint: true },
    )
    bytes[bytes.length - 1]! ^= 1
    expect(exchange.handIn(bytes)).toBe(false)
    bytes[bytes.length - 1]! ^= 1
    expect(exchange.handIn(bytes)).toBe(true)
    expect(exchange.results).toEqual([['it', 'answered', 0]])
  })

  it('that asks for an answer from elsewhere takes it, and says where from', () => {
    const exchange = new Exchange()
    const request = exchange.ask('it', [], { anySource: true })
    exchange.answer(request, 'success', [mapped], { source: elsewhere })
    expect(exchange.outputs.at(-1)).toMatchObject({ type: 'answered', source: elsewhere })
  })

  it('goes to another destination without the credentials of the server', () => {
    const exchange = new Exchange({ credentials: longTerm })
    exchange.refuse(exchange.ask(), 401, [
      ['REALM', realm],
      ['NONCE', 'n'],
    ])
    const request = exchange.ask('other', [], { destination: elsewhere })
    expect(exchange.outputs.at(-1)).toMatchObject({ type: 'transmit', destination: elsewhere })
    expect(request.types()).toEqual([])
    exchange.answer(request, 'success', [mapped], { source: elsewhere })
    expect(exchange.results).toEqual([['other', 'answered', 0]])
  })

  it('is sent again until it has timed out', () => {
    const exchange = new Exchange()
    exchange.ask()
    exchange.elapse(39_499)
    expect(exchange.sentCount).toBe(7)
    expect(exchange.results).toEqual([])
    exchange.elapse(1)
    expect(exchange.results).toEqual([['it', 'timed-out']])
  })

  it('has no round trip when it was sent twice', () => {
    const exchange = new Exchange()
    const request = exchange.ask()
    exchange.elapse(600)
    exchange.answer(request, 'success', [mapped])
    expect(exchange.results).toEqual([['it', 'answered', undefined]])
  })

  it('waits for its turn: ten at a time', () => {
    const exchange = new Exchange()
    const first = exchange.ask('first')
    for (let i = 1; i < 12; i++) exchange.ask(`${i}`)
    expect(exchange.sentCount).toBe(10)
    exchange.answer(first, 'success', [mapped])
    expect(exchange.sentCount).toBe(11)
  })

  it('waits for its turn: so long after the one before', () => {
    const exchange = new Exchange({ pacingMs: 50 })
    for (let i = 0; i < 4; i++) exchange.ask(`${i}`)
    expect(exchange.sentCount).toBe(1)
    exchange.elapse(49)
    expect(exchange.sentCount).toBe(1)
    exchange.elapse(1)
    expect(exchange.sentCount).toBe(2)
    exchange.elapse(100)
    expect(exchange.sentCount).toBe(4)
  })

  it('that is cancelled is never heard of', () => {
    const exchange = new Exchange({ maxOutstanding: 1 })
    const id = exchange.client.request({ method: 'Binding', attributes: [], context: 'a' }, exchange.now)
    const request = exchange.lastRequest()
    const waiting = exchange.client.request({ method: 'Binding', attributes: [], context: 'b' }, exchange.now)
    exchange.client.cancel(waiting, exchange.now)
    exchange.client.cancel(id, exchange.now)
    expect(exchange.answer(request, 'success', [mapped])).toBe(false)
    exchange.elapse(100_000)
    expect(exchange.results).toEqual([])
    expect(exchange.client.pollTimeout()).toBeUndefined()
  })

  it('fails when the transport does, with all the others', () => {
    const exchange = new Exchange({ maxOutstanding: 1 })
    exchange.ask('a')
    exchange.ask('b')
    exchange.client.handleTransportFailure('ECONNREFUSED')
    exchange.drain()
    expect(exchange.results).toEqual([
      ['a', 'transport-failed'],
      ['b', 'transport-failed'],
    ])
  })

  it('carries a fingerprint when that is wanted', () => {
    expect(checkFingerprint(new Exchange({ fingerprint: true }).ask())).toBe(true)
  })
})

describe('an error response', () => {
  it('of class 4 ends the request, with what the server said', () => {
    const exchange = new Exchange()
    const attributes: Attribute[] = [
      ['ERROR-CODE', { code: 420, reason: 'What?' }],
      ['UNKNOWN-ATTRIBUTES', [0x0003]],
    ]
    exchange.answer(exchange.ask(), 'error', attributes)
    expect(exchange.outputs.at(-1)).toMatchObject({
      failure: { type: 'rejected', code: 420, reason: 'What?', unknownAttributes: [0x0003] },
    })
  })

  it('of class 5 has the request sent again, four times at most and ever later', () => {
    const exchange = new Exchange()
    exchange.ask()
    for (const wait of [1000, 2000, 4000, 8000]) {
      const count = exchange.sentCount
      exchange.refuse(exchange.lastRequest(), 500)
      exchange.elapse(wait - 1)
      expect(exchange.sentCount).toBe(count)
      exchange.elapse(1)
      expect(exchange.sentCount).toBe(count + 1)
    }
    exchange.refuse(exchange.lastRequest(), 500)
    expect(exchange.results).toEqual([['it', 'rejected']])
  })

  it('508 ends the request: the server has asked to be left alone', () => {
    const exchange = new Exchange()
    exchange.refuse(exchange.ask(), 508)
    expect(exchange.results).toEqual([['it', 'rejected']])
  })

  it('without ERROR-CODE, and any response with an attribute that must be known and is not, is a failure', () => {
    const exchange = new Exchange()
    exchange.answer(exchange.ask(), 'error', [])
    const request = exchange.ask()
    const bytes = encodeMessage({
      class: 'success',
      method: 'Binding',
      transactionId: request.transactionId.slice(),
      attributes: [mapped, ['PADDING', noParameters]],
    })
    bytes[bytes.length - 3] = 0x27 + 0x50
    exchange.handIn(bytes)
    expect(exchange.results).toEqual([
      ['it', 'bad-response'],
      ['it', 'bad-response'],
    ])
  })
})

describe('long-term credentials', () => {
  it('are kept back until the server asks, and then shown with every request', () => {
    const exchange = new Exchange({ credentials: longTerm })
    const first = exchange.ask()
    expect(first.types()).toEqual([])
    exchange.refuse(first, 401, [
      ['REALM', realm],
      ['NONCE', 'n1'],
    ])
    const second = exchange.lastRequest()
    expect(second.get('USERNAME')).toBe('alice')
    expect(second.get('NONCE')).toBe('n1')
    expect(second.transactionId).not.toEqual(first.transactionId)
    expect(checkIntegrity(second, md5Key)).toBe(true)
    expect(second.integritySha256Offset).toBe(-1)
    exchange.answer(second, 'success', [mapped], { integrity: [md5Key] })
    expect(exchange.results).toEqual([['it', 'answered', 0]])
    expect(checkIntegrity(exchange.ask(), md5Key)).toBe(true)
  })

  it('are spelt as OpaqueString has it', () => {
    const credentials = { type: 'long-term', username: 'A\u030angstro\u0308m', password: 'a\u00a0b' } as const
    const exchange = new Exchange({ credentials })
    exchange.refuse(exchange.ask(), 401, [
      ['REALM', realm],
      ['NONCE', 'n1'],
    ])
    const request = exchange.lastRequest()
    expect(request.get('USERNAME')).toBe('\u00c5ngstr\u00f6m')
    const key = longTermKey('\u00c5ngstr\u00f6m', realm, 'a b')
    expect(checkIntegrity(request, { algorithm: 'sha1', key })).toBe(true)
  })

  it('are not shown again when the server has refused them', () => {
    const exchange = new Exchange({ credentials: longTerm })
    for (let i = 0; i < 2; i++) {
      exchange.refuse(i === 0 ? exchange.ask() : exchange.lastRequest(), 401, [
        ['REALM', realm],
        ['NONCE', `n${i}`],
      ])
    }
    expect(exchange.results).toEqual([['it', 'rejected']])
    expect(exchange.sentCount).toBe(2)
  })

  it('are shown with the new nonce after a 438, signed or not', () => {
    const exchange = new Exchange({ credentials: longTerm })
    exchange.refuse(exchange.ask(), 401, [
      ['REALM', realm],
      ['NONCE', 'n1'],
    ])
    exchange.refuse(exchange.lastRequest(), 438, [['NONCE', 'n2']], { integrity: [md5Key] })
    expect(exchange.lastRequest().get('NONCE')).toBe('n2')
    exchange.refuse(exchange.lastRequest(), 438, [
      ['REALM', realm],
      ['NONCE', 'n3'],
    ])
    expect(exchange.lastRequest().get('NONCE')).toBe('n3')
    exchange.answer(exchange.lastRequest(), 'success', [mapped], { integrity: [md5Key] })
    expect(exchange.results).toEqual([['it', 'answered', 0]])
  })

  it('are worth SHA-256 when the server offers it, and nothing less afterwards', () => {
    const exchange = new Exchange({ credentials: longTerm })
    exchange.refuse(exchange.ask(), 401, [['REALM', realm], ['NONCE', algorithmsNonce], both])
    const request = exchange.lastRequest()
    expect(request.get('PASSWORD-ALGORITHMS')).toEqual(both[1])
    expect(request.get('PASSWORD-ALGORITHM')).toEqual({ algorithm: 2, parameters: noParameters })
    expect(request.integrityOffset).toBe(-1)
    expect(checkIntegrity(request, sha256Key)).toBe(true)
    exchange.answer(request, 'success', [mapped], { integrity: [md5Key] })
    exchange.answer(request, 'success', [mapped], { integrity: [{ ...sha256Key, algorithm: 'sha1' }] })
    expect(exchange.results).toEqual([])
    exchange.answer(request, 'success', [mapped], { integrity: [sha256Key] })
    expect(exchange.results).toEqual([['it', 'answered', 0]])
    exchange.refuse(exchange.ask(), 438, [
      ['REALM', realm],
      ['NONCE', 'downgraded'],
    ])
    // It may be forged, so the answer of the server is waited for; and when none comes, that is said.
    expect(exchange.results).toHaveLength(1)
    exchange.elapse(40_000)
    expect(exchange.results.at(-1)).toEqual(['it', 'bid-down'])
  })

  it('are not shown in MD5 over TCP either, once SHA-256 was agreed on', () => {
    const exchange = new Exchange({ credentials: longTerm, isReliable: true })
    exchange.refuse(exchange.ask(), 401, [['REALM', realm], ['NONCE', algorithmsNonce], both])
    exchange.refuse(exchange.lastRequest(), 438, [
      ['REALM', realm],
      ['NONCE', 'downgraded'],
    ])
    expect(exchange.results).toEqual([['it', 'bid-down']])
  })

  it('are worth MD5 with SHA-256 integrity when that is the first algorithm we know', () => {
    const exchange = new Exchange({ credentials: longTerm })
    const algorithms: Attribute = [
      'PASSWORD-ALGORITHMS',
      [
        { algorithm: 9, parameters: Uint8Array.of(1, 2, 3) },
        { algorithm: 1, parameters: noParameters },
      ],
    ]
    exchange.refuse(exchange.ask(), 401, [['REALM', realm], ['NONCE', algorithmsNonce], algorithms])
    const request = exchange.lastRequest()
    expect(request.get('PASSWORD-ALGORITHMS')).toEqual(algorithms[1])
    expect(checkIntegrity(request, { algorithm: 'sha256', key: md5Key.key })).toBe(true)
  })

  it('hide the name when the server wants it', () => {
    const exchange = new Exchange({ credentials: longTerm })
    exchange.refuse(exchange.ask(), 401, [['REALM', realm], ['NONCE', anonymousNonce], both])
    const request = exchange.lastRequest()
    expect(request.has('USERNAME')).toBe(false)
    expect(request.get('USERHASH')).toEqual(userHash('alice', realm))
  })

  it('are not shown when somebody has removed the algorithms that the nonce speaks of', () => {
    const exchange = new Exchange({ credentials: longTerm })
    exchange.refuse(exchange.ask(), 401, [
      ['REALM', realm],
      ['NONCE', algorithmsNonce],
    ])
    expect(exchange.results).toEqual([['it', 'bid-down']])
    expect(exchange.sentCount).toBe(1)
  })

  it('are not shown when there is no algorithm that both know', () => {
    const exchange = new Exchange({ credentials: longTerm })
    const algorithms: Attribute = ['PASSWORD-ALGORITHMS', [{ algorithm: 9, parameters: noParameters }]]
    exchange.refuse(exchange.ask(), 401, [['REALM', realm], ['NONCE', algorithmsNonce], algorithms])
    expect(exchange.results).toEqual([['it', 'no-shared-algorithm']])
  })

  it('make a response worth nothing that is not signed: over UDP it never came', () => {
    const exchange = new Exchange({ credentials: longTerm })
    exchange.refuse(exchange.ask(), 401, [
      ['REALM', realm],
      ['NONCE', 'n'],
    ])
    const request = exchange.lastRequest()
    exchange.answer(request, 'success', [mapped])
    exchange.answer(request, 'success', [mapped], {
      integrity: [{ algorithm: 'sha1', key: new Uint8Array(16) }],
    })
    exchange.refuse(request, 400)
    exchange.refuse(request, 403)
    expect(exchange.results).toEqual([])
    exchange.elapse(40_000)
    expect(exchange.results).toEqual([['it', 'integrity-violated']])
  })

  it('make a response worth nothing that is not signed: over TCP that ends the request', () => {
    const exchange = new Exchange({ credentials: longTerm, isReliable: true })
    exchange.refuse(exchange.ask(), 401, [
      ['REALM', realm],
      ['NONCE', 'n'],
    ])
    exchange.answer(exchange.lastRequest(), 'success', [mapped])
    expect(exchange.results).toEqual([['it', 'integrity-violated']])
  })
})

describe('short-term credentials', () => {
  const credentials = { type: 'short-term', username: 'a:b', password: 'secret' } as const
  const key = new TextEncoder().encode('secret')

  it('are shown in both algorithms until the server has answered in one', () => {
    const exchange = new Exchange({ credentials })
    const request = exchange.ask()
    expect(request.get('USERNAME')).toBe('a:b')
    expect(checkIntegrity(request, { algorithm: 'sha1', key })).toBe(true)
    expect(checkIntegrity(request, { algorithm: 'sha256', key })).toBe(true)
    exchange.answer(request, 'success', [mapped], { integrity: [{ algorithm: 'sha256', key }] })
    const next = exchange.ask()
    expect(next.integrityOffset).toBe(-1)
    expect(checkIntegrity(next, { algorithm: 'sha256', key })).toBe(true)
  })

  it('are shown in the one algorithm that is known to be right, and answered in no other', () => {
    const exchange = new Exchange({ credentials: { ...credentials, integrity: 'sha1' } })
    const request = exchange.ask()
    expect(request.integritySha256Offset).toBe(-1)
    exchange.answer(request, 'success', [mapped], { integrity: [{ algorithm: 'sha256', key }] })
    expect(exchange.results).toEqual([])
    exchange.answer(request, 'success', [mapped], { integrity: [{ algorithm: 'sha1', key }] })
    expect(exchange.results).toEqual([['it', 'answered', 0]])
  })
})
