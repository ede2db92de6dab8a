import { describe, expect, it } from 'vitest'
import { defaultCredentialsConfig } from '../../src/server/credentials-config.ts'
import { challengeLength, warnOfLongChallenge } from '../../src/server/long-challenge.ts'
import { seededRandom } from '../support/random.ts'

const users = [{ name: 'alice', password: 'wonder' }]
const tokenKeys = [{ kid: 'north', key: new Uint8Array(32) }]
const withRealm = (length: number, more: object = {}) => ({
  ...defaultCredentialsConfig,
  users,
  realm: 'r'.repeat(length),
  ...more,
})

function warningsFor(config: ReturnType<typeof withRealm>): string[] {
  const warnings: string[] = []
  const silent = () => {}
  const log = { debug: silent, info: silent, error: silent, warn: (text: string) => void warnings.push(text) }
  warnOfLongChallenge(config, seededRandom(1), log)
  return warnings
}

describe('The answer to a stranger', () => {
  it.each([
    [1, 88],
    [8, 92],
    [16, 100],
    [17, 104],
    [127, 212],
  ])('has, for a realm of %i bytes, %i', (length, expected) => {
    expect(challengeLength(withRealm(length), seededRandom(1))).toBe(expected)
  })

  it('is warned of where it has more than 100 bytes, with the cure', () => {
    expect(warningsFor(withRealm(16))).toEqual([])
    expect(warningsFor(withRealm(17))).toEqual([
      expect.stringMatching(/104 bytes, 4 more than is good .* shorten --realm, or/),
    ])
    expect(warningsFor(withRealm(16, { tokenKeys }))).toEqual([
      expect.stringContaining('shorten --realm and --oauth-server-name'),
    ])
    expect(warningsFor(withRealm(127, { users: [], noAuth: true }))).toEqual([])
  })
})
