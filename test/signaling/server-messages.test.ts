/** What a peer takes from a signaling server: whole messages of the protocol, and nothing that it could fall over. */

import { describe, expect, it } from 'vitest'
import { parseServerMessage } from '../../src/signaling/protocol.ts'

const joined = {
  type: 'joined',
  version: 1,
  id: 'a',
  room: 'r',
  peers: [{ id: 'b', name: 'Bob' }],
  iceServers: [{ urls: ['turn:192.0.2.1'], username: 'u', credential: 'p' }, { urls: ['stun:192.0.2.1'] }],
  session: 's',
  resumed: false,
  received: 0,
}
const description = { type: 'offer', sdp: 'v=0' }

describe('a message of a signaling server', () => {
  it.each<[string, object]>([
    ['joined', joined],
    ['a peer that has come', { type: 'peer-joined', peer: { id: 'b', name: '' }, seq: 1 }],
    ['a peer that has gone', { type: 'peer-left', id: 'b', reason: 'lost' }],
    ['fresh credentials', { type: 'ice-servers', iceServers: joined.iceServers }],
    ['an error', { type: 'error', code: 'unknown-peer', message: 'no such peer', to: 'b' }],
    ['a call', { type: 'call', from: 'b' }],
    ['a decline without a reason', { type: 'decline', from: 'b' }],
    ['a description', { type: 'signal', from: 'b', data: { description } }],
    ['the end of candidates', { type: 'signal', from: 'b', data: { candidate: null } }],
    ['a type of a later version', { type: 'wave', at: 'b' }],
  ])('is taken: %s', (_what, message) => {
    expect(parseServerMessage(JSON.stringify(message))).toEqual(message)
  })

  it.each<[string, unknown]>([
    ['a list', []],
    ['no type', {}],
    ['a number that is none', { ...joined, seq: 'x' }],
    ['peers that are no list', { ...joined, peers: 7 }],
    ['a peer without a name', { ...joined, peers: [{ id: 'b' }] }],
    ['a server without urls', { ...joined, iceServers: [{}] }],
    ['a count below nothing', { ...joined, received: -1 }],
    ['a peer that is null', { type: 'peer-joined', peer: null }],
    ['a peer gone without an id', { type: 'peer-left', reason: 'left' }],
    ['servers that are null', { type: 'ice-servers', iceServers: null }],
    ['an error without words', { type: 'error', code: 'too-fast' }],
    ['a call of nobody', { type: 'call' }],
    ['a reason that is an object', { type: 'bye', from: 'b', reason: {} }],
    ['a signal without data', { type: 'signal', from: 'b' }],
    ['two things in one signal', { type: 'signal', from: 'b', data: { description, candidate: null } }],
  ])('is dropped: %s', (_what, message) => {
    expect(parseServerMessage(JSON.stringify(message))).toBeUndefined()
  })

  it('is dropped when it is no JSON', () => {
    expect(parseServerMessage('{')).toBeUndefined()
  })
})
