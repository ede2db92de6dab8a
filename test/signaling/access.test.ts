import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { EpochSeconds } from '../../src/core/time.ts'
import { isAdmitted, mintRoomToken } from '../../src/signaling/access.ts'
import { iceServersOf, mintCredentials } from '../../src/signaling/ice-servers.ts'

const at = (seconds: number) => seconds as EpochSeconds
const join = (room: string, token?: string) => ({
  type: 'join' as const,
  version: 1,
  room,
  ...(token === undefined ? {} : { token }),
})

describe('admission to a room', () => {
  const token = mintRoomToken('key', 'blue', at(2000))

  it.each([
    ['the shared key', join('blue', 'key'), true],
    ['a token for the room', join('blue', token), true],
    ['no token', join('blue'), false],
    ['another key', join('blue', 'kez'), false],
    ['a token for another room', join('red', token), false],
    ['a token whose expiry was changed', join('blue', token.replace('2000', '9999')), false],
    ['a token minted with another key', join('blue', mintRoomToken('kez', 'blue', at(2000))), false],
  ])('%s', (_what, message, admitted) => {
    expect(isAdmitted('key', message, at(1999))).toBe(admitted)
  })

  it('ends when the token expires', () => {
    expect(isAdmitted('key', join('blue', token), at(2000))).toBe(false)
  })
})

describe('iceServers', () => {
  it('carry credentials as the TURN REST convention has them', () => {
    const { username, credential } = mintCredentials('secret', 'peer', at(12345))
    expect(username).toBe('12345:peer')
    expect(credential).toBe(createHmac('sha1', 'secret').update('12345:peer').digest('base64'))
    expect(mintCredentials('secret', '', at(12345)).username).toBe('12345')
  })

  it('give credentials to turn: and not to stun:', () => {
    const credentials = { username: 'u', credential: 'c' }
    expect(iceServersOf(['stun:a', 'turn:a', 'turns:a', 'stuns:b'], credentials)).toEqual([
      { urls: ['stun:a', 'stuns:b'] },
      { urls: ['turn:a', 'turns:a'], ...credentials },
    ])
    expect(iceServersOf(['stun:a', 'turn:a'], undefined)).toEqual([{ urls: ['stun:a'] }])
    expect(iceServersOf([], credentials)).toEqual([])
  })
})
