/** coturn's client and its token tool with the credentials of a `turnpike serve`: shared secret and access tokens. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Attribute } from '../../src/stun/attributes.ts'
import { checkIntegrity } from '../../src/stun/integrity.ts'
import type { Message } from '../../src/stun/message.ts'
import { startPeer } from '../support/coturn-peer.ts'
import { type Child, missingPrograms, run, start, startTurnpike } from '../support/programs.ts'
import { UdpRequests, udpAllocate } from '../support/udp-requests.ts'

const missing = missingPrograms(
  'interop with the credentials of coturn',
  ['turnutils_uclient', 'turnutils_peer', 'turnutils_oauth'],
  'apt-get install coturn',
)

const realm = 'turn.example.org'
const secret = 'a secret of two servers'
/** The keys that turnutils_uclient -J makes tokens with, and the line ends that they have. */
const testKeys = [
  'north:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK',
  'union:MTIzNDU2Nzg5MDEyMzQ1Ngo=',
  'oldempire:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIK',
]

describe.skipIf(missing.length > 0)('Credentials of coturn\u2019s programs', () => {
  let server: Child & { port: number }
  let peer: Child & { port: number }

  beforeAll(async () => {
    peer = await startPeer()
    server = await startTurnpike([
      ...['--realm', realm, '--user', 'u:p', '--secret', 'an old one', '--secret', secret],
      ...testKeys.flatMap((key) => ['--oauth-key', key]),
      ...['--allow-peer', '127.0.0.0/8', '--allow-legacy-channels', '--unauthenticated-rate', '0'],
    ])
  }, 60_000)

  afterAll(async () => {
    await peer?.stop()
    await server?.stop()
  })

  /** By Send indications: the client draws channel numbers at random, and sometimes one twice. */
  const uclient = (flags: readonly string[]) =>
    start(
      'turnutils_uclient',
      [
        ...['-X', '-c', '-s', '-e', '127.0.0.1', '-r', `${peer.port}`, '-n', '10', '-m', '2'],
        ...['-p', `${server.port}`, ...flags, '127.0.0.1'],
      ],
      { timeoutSeconds: 100 },
    ).ended

  const ways: [string, string[]][] = [
    ['a shared secret (-W) and a user', ['-u', 'alice', '-W', secret]],
    ['a shared secret and a user with colons', ['-u', '@alice:example.org', '-W', secret]],
    ['a shared secret and no user', ['-W', secret]],
    ['the secret that is about to go', ['-u', 'alice', '-W', 'an old one']],
    ['a configured user beside them', ['-u', 'u', '-w', 'p']],
    ['access tokens (-J) of three keys, new ones at each Refresh', ['-J', '-m', '6']],
  ]
  // At the same time: the client waits for seconds after its last packet.
  it.concurrent.each(ways)(
    'relays without loss by %s',
    async (_name, flags) => {
      // With token keys the client learns of them in the 401; without -J it goes by its password.
      const { code, output } = await uclient(flags)
      expect(output).toContain('Total lost packets 0 (0.000000%)')
      expect(code).toBe(0)
    },
    240_000,
  )

  it('refuses a secret that is not ours', async () => {
    const { code, output } = await uclient(['-u', 'alice', '-W', 'not the secret'])
    expect(output).toContain('Cannot complete Allocation')
    expect(code).not.toBe(0)
  }, 240_000)

  describe.each(['A256GCM', 'A128GCM'])('A token that turnutils_oauth has made by %s', (algorithm) => {
    const kid = algorithm === 'A256GCM' ? 'north' : 'union'
    const key = testKeys.find((entry) => entry.startsWith(kid))!.slice(kid.length + 1)
    const macKey = 'ZksjpweoixXmvn67534m'

    const tokenFor = (serverName: string, seconds: number, timestamp?: number): Uint8Array => {
      const made = run('turnutils_oauth', [
        ...['-e', '-i', serverName, '-j', kid, '-k', key, '-l', '1', '-m', '4000000000', '-n', algorithm],
        ...['-o', base64('h4j3k2l2n4b5'), '-p', base64(macKey), '-r', `${seconds}`],
        ...(timestamp === undefined ? [] : ['-q', `${BigInt(timestamp) << 16n}`]),
      ])
      const json = /\{[^}]*\}/.exec(made.stdout)?.[0] ?? '{}'
      return new Uint8Array(Buffer.from(JSON.parse(json).access_token, 'base64'))
    }

    it('is served, for as long as it lasts, and answered by its session key', async () => {
      const answer = await allocate(server.port, kid, tokenFor(realm, 120), macKey)
      expect(answer.class).toBe('success')
      expect(answer.get('LIFETIME')).toBeLessThanOrEqual(125)
      expect(answer.get('LIFETIME')).toBeGreaterThan(60)
    })

    it('is refused when it is over, or for another server', async () => {
      const now = Math.trunc(Date.now() / 1000)
      for (const token of [tokenFor(realm, 60, now - 3600), tokenFor('turn.example.com', 120)]) {
        expect((await allocate(server.port, kid, token, macKey)).get('ERROR-CODE')?.code).toBe(401)
      }
    })
  })
})

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** One Allocate by UDP with that token, after the challenge; the answer, which a success has to be signed. */
async function allocate(port: number, kid: string, token: Uint8Array, macKey: string): Promise<Message> {
  const requests = new UdpRequests(port)
  const key = { algorithm: 'sha1', key: new TextEncoder().encode(macKey) } as const
  try {
    const challenge = await requests.ask('Allocate', udpAllocate)
    expect(challenge.get('THIRD-PARTY-AUTHORIZATION')).toBe(realm)
    const credentials: Attribute[] = [
      ['ACCESS-TOKEN', token],
      ['USERNAME', kid],
      ['REALM', challenge.get('REALM')!],
      ['NONCE', challenge.get('NONCE')!],
    ]
    const answer = await requests.ask('Allocate', [...udpAllocate, ...credentials], [key])
    if (answer.class === 'success') expect(checkIntegrity(answer, key)).toBe(true)
    return answer
  } finally {
    requests.close()
  }
}
