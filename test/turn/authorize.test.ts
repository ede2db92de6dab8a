import { describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import { longTermKey, userHash } from '../../src/stun/credentials.ts'
import type { Message } from '../../src/stun/message.ts'
import type { MethodName } from '../../src/stun/methods.ts'
import type { Credential } from '../../src/turn/credential.ts'
import { type CredentialStore, userCredential } from '../../src/turn/credentials.ts'
import type { ServerOutput } from '../../src/turn/outputs.ts'
import { RawClient, signatureOf } from '../support/signing.ts'
import { codeOf, peerA, realm, TurnHarness, text } from '../support/turn-harness.ts'

type Question = Extract<ServerOutput, { type: 'authorize' }>

const slow: CredentialStore = {
  algorithms: ['SHA-256', 'MD5'],
  knowsUserHashes: false,
  find: () => 'ask',
  findByHash: () => 'ask',
}
const key = longTermKey('alice', realm, 'wonder')
const alice = userCredential({ name: 'alice', password: 'wonder' }, realm)

function setUp() {
  const harness = new TurnHarness({ credentials: slow })
  const questions = () => harness.outputs.filter((output): output is Question => output.type === 'authorize')
  const tell = (question: Question, credentials: readonly Credential[]) => {
    harness.takeOutputs()
    harness.server.authorized(question.id, credentials, harness.now)
    harness.drain()
  }
  return { harness, questions, tell }
}

class SlowClient {
  readonly raw: RawClient
  readonly #nonce: string

  constructor(harness: TurnHarness) {
    this.raw = new RawClient(harness)
    this.#nonce = this.raw.challenge().get('NONCE')!
  }

  encode(
    method: MethodName,
    more: readonly Attribute[] = [],
    signedWith = key,
    nonce = this.#nonce,
  ): Uint8Array {
    const attributes: Attribute[] = [...more, ['USERNAME', 'alice'], ['REALM', realm], ['NONCE', nonce]]
    return this.raw.encode({ method, attributes, integrity: [{ algorithm: 'sha1', key: signedWith }] })
  }

  send(method: MethodName, more: readonly Attribute[] = [], signedWith = key): Message | undefined {
    return this.raw.exchange(this.encode(method, more, signedWith))
  }

  answer(): Message | undefined {
    return this.raw.lastAnswer()
  }
}

describe('A store that takes its time', () => {
  it('is asked, and the request is answered when it has been told', () => {
    const { harness, questions, tell } = setUp()
    const client = new SlowClient(harness)
    expect(client.send('Allocate')).toBeUndefined()
    expect(harness.outputs).toEqual([{ type: 'authorize', id: 0, username: 'alice', userHash: undefined }])
    tell(questions()[0]!, [alice])
    expect(harness.outputs.map(({ type }) => type)).toEqual(['bind-relay', 'allocation-created', 'transmit'])
    expect(signatureOf(client.answer(), key)).toBe('sha1')
  })

  it('is not asked again while there is an allocation, for its credential is known', () => {
    const { harness, questions, tell } = setUp()
    const client = new SlowClient(harness)
    client.send('Allocate')
    tell(questions()[0]!, [alice])
    expect(client.send('Refresh')?.get('LIFETIME')).toBe(600)
    expect(client.send('CreatePermission', [['XOR-PEER-ADDRESS', peerA]])?.class).toBe('success')
    // Unless that is not the right one any more.
    expect(client.send('Refresh', [], text('a new password'))).toBeUndefined()
    expect(questions()).toHaveLength(1)
  })

  it('says of a user that there is none, or has another password: 401', () => {
    const { harness, questions, tell } = setUp()
    const other = userCredential({ name: 'alice', password: 'other' }, realm)
    for (const credentials of [[], [other]]) {
      const client = new SlowClient(harness)
      client.send('Allocate')
      tell(questions()[0]!, credentials)
      expect(codeOf(client.answer())).toBe(401)
      expect(client.answer()?.has('NONCE')).toBe(true)
    }
  })

  it('may know several passwords, any of which will do', () => {
    const { harness, questions, tell } = setUp()
    const client = new SlowClient(harness)
    client.send('Allocate')
    tell(questions()[0]!, [userCredential({ name: 'alice', password: 'old' }, realm), alice])
    expect(client.answer()?.class).toBe('success')
  })

  it('is asked once, however often the request is sent meanwhile', () => {
    const { harness, questions, tell } = setUp()
    const client = new SlowClient(harness)
    const allocate = client.encode('Allocate')
    expect(client.raw.exchange(allocate)).toBeUndefined()
    const [question] = questions()
    for (let i = 0; i < 3; i++) {
      expect(client.raw.exchange(allocate)).toBeUndefined()
      expect(questions()).toEqual([])
    }
    tell(question!, [alice])
    expect(client.answer()?.class).toBe('success')
  })

  it('is not asked for who has no valid nonce: 438, and nothing is kept', () => {
    const { harness } = setUp()
    const client = new SlowClient(harness)
    expect(codeOf(client.raw.exchange(client.encode('Allocate', [], key, 'no nonce of ours')))).toBe(438)
    expect(harness.outputs.map(({ type }) => type)).toEqual(['transmit'])
    expect(harness.server.pollTimeout()).toBeUndefined()
  })

  it('is not asked for a name that can be nobody\u2019s', () => {
    const { harness, questions } = setUp()
    const client = new SlowClient(harness)
    const nonce = client.raw.challenge().get('NONCE')!
    const attributes: Attribute[] = [
      ['REALM', realm],
      ['NONCE', nonce],
    ]
    const username = Uint8Array.of(0xff, 0xfe)
    const answer = client.raw.send({ username, attributes, integrity: [{ algorithm: 'sha1', key }] })
    expect(codeOf(answer)).toBe(401)
    expect(questions()).toEqual([])
  })

  it('is asked by hash for who shows one', () => {
    const { harness, questions, tell } = setUp()
    const client = new RawClient(harness)
    const hash = userHash('alice', realm)
    const nonce = client.challenge().get('NONCE')!
    const attributes: Attribute[] = [
      ['USERHASH', hash],
      ['REALM', realm],
      ['NONCE', nonce],
    ]
    expect(client.send({ attributes, integrity: [{ algorithm: 'sha1', key }] })).toBeUndefined()
    expect(questions()[0]).toMatchObject({ username: undefined, userHash: hash })
    tell(questions()[0]!, [alice])
    expect(client.lastAnswer()?.class).toBe('success')
  })

  it('is waited for ten seconds; what it says later is for nobody', () => {
    const { harness, questions, tell } = setUp()
    const client = new SlowClient(harness)
    client.send('Allocate')
    const [question] = questions()
    harness.elapse(10)
    expect(harness.server.pollTimeout()).toBeUndefined()
    tell(question!, [alice])
    expect(harness.outputs).toEqual([])
    // And the client that asks again is looked up again.
    client.send('Allocate')
    expect(questions()).toHaveLength(1)
  })

  it('is not waited for by who has hung up', () => {
    const { harness, questions, tell } = setUp()
    const stream = harness.streamClient()
    stream.nonce = stream.challenge()
    expect(stream.exchange(stream.encode('Allocate', [['REQUESTED-TRANSPORT', 17]]))).toBeUndefined()
    const [question] = questions()
    harness.server.streamClosed(stream.socket, stream.address)
    tell(question!, [alice])
    expect(harness.outputs).toEqual([])
    expect(harness.server.counters.allocations).toBe(0)
  })

  it('is not waited for by more than 4,096', () => {
    const { harness } = setUp()
    const client = new SlowClient(harness)
    let asked = 0
    for (let i = 0; i < 4100; i++) {
      client.send('Allocate')
      if (harness.outputs.length > 0) asked++
    }
    expect(asked).toBe(4096)
  })
})
