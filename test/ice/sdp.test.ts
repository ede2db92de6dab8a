/** ICE attributes of a session description (RFC 8839 §5, RFC 8840). */

import { describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { formatIceAttributes, parseIceAttributes } from '../../src/ice/sdp.ts'

const session = ['v=0', 'a=ice-lite', 'a=ice-pacing:20', 'a=ice-options:ice2 trickle', ''].join('\r\n')
const media = [
  'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
  'a=ice-ufrag:8hhY',
  'a=ice-pwd:asd88fgpdd777uzjYhagZg',
  'a=ice-options:renomination',
  'a=candidate:1 1 UDP 2130706431 192.0.2.1 1000 typ host',
  'a=candidate:1 1 UDP nonsense 192.0.2.1 1000 typ host',
  'a=candidate:2 1 UDP 2130706430 fe80::1%3 1000 typ host',
  'a=remote-candidates:1 192.0.2.3 45664 2 192.0.2.3 45665',
  'a=end-of-candidates',
].join('\r\n')

describe('the ICE attributes of a media section', () => {
  const parsed = parseIceAttributes(session, media)
  if (typeof parsed === 'string') throw new Error(parsed)

  it('are read together with those of the session', () => {
    expect(parsed).toMatchObject({
      ufrag: '8hhY',
      pwd: 'asd88fgpdd777uzjYhagZg',
      lite: true,
      pacingMs: 20,
      options: ['ice2', 'trickle', 'renomination'],
      endOfCandidates: true,
      mismatch: false,
    })
    expect(parsed.remoteCandidates).toEqual([
      { component: 1, address: '192.0.2.3', port: 45_664 },
      { component: 2, address: '192.0.2.3', port: 45_665 },
    ])
  })

  it('lose one bad candidate line, with its reason, and nothing else', () => {
    expect(parsed.candidates.map(({ foundation }) => foundation)).toEqual(['1', '2'])
    expect(parsed.ignored).toEqual([
      { line: 'candidate:1 1 UDP nonsense 192.0.2.1 1000 typ host', reason: 'bad-priority' },
    ])
  })

  it('of the media section take precedence over those of the session', () => {
    const both = parseIceAttributes('a=ice-ufrag:AAAA\na=ice-pwd:0000000000000000000000', media)
    expect(both).toMatchObject({ ufrag: '8hhY' })
    const alone = parseIceAttributes(
      'a=ice-ufrag:AAAA\na=ice-pwd:0000000000000000000000',
      'm=audio 9 RTP/AVP 0',
    )
    expect(alone).toMatchObject({ ufrag: 'AAAA', pwd: '0000000000000000000000', candidates: [] })
  })

  it('tell of a mismatch', () => {
    expect(parseIceAttributes('', `${media}\r\na=ice-mismatch`)).toMatchObject({ mismatch: true })
  })

  it.each([
    ['no fragment', 'a=ice-pwd:asd88fgpdd777uzjYhagZg', 'no-credentials'],
    ['no password', 'a=ice-ufrag:8hhY', 'no-credentials'],
    [
      'a fragment of three characters',
      'a=ice-ufrag:8hh\na=ice-pwd:asd88fgpdd777uzjYhagZg',
      'bad-credentials',
    ],
    ['a password of 21 characters', 'a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZ', 'bad-credentials'],
    [
      'a fragment of 257 characters',
      `a=ice-ufrag:${'x'.repeat(257)}\na=ice-pwd:asd88fgpdd777uzjYhagZg`,
      'bad-credentials',
    ],
    ['a colon in the fragment', 'a=ice-ufrag:8h:Y\na=ice-pwd:asd88fgpdd777uzjYhagZg', 'bad-credentials'],
  ])('without usable credentials say so: %s', (_name, lines, fault) => {
    expect(parseIceAttributes('', lines)).toBe(fault)
  })

  it('accept the 256 characters that a peer may send', () => {
    const lines = `a=ice-ufrag:${'x'.repeat(256)}\na=ice-pwd:${'y'.repeat(256)}`
    expect(parseIceAttributes('', lines)).toMatchObject({ ufrag: 'x'.repeat(256) })
  })

  it('are written as they are read', () => {
    const description = {
      ufrag: '8hhY',
      pwd: 'asd88fgpdd777uzjYhagZg',
      lite: true,
      options: ['ice2', 'trickle'],
      pacingMs: 5,
    }
    const candidate = {
      foundation: '1',
      component: 1,
      protocol: 'udp',
      priority: 2_130_706_431,
      address: TransportAddress.parse('192.0.2.1:1000'),
      type: 'host',
    } as const
    const remoteCandidates = [{ component: 1, address: '192.0.2.3', port: 45_664 }]
    const lines = formatIceAttributes(description, {
      candidates: [candidate],
      endOfCandidates: true,
      remoteCandidates,
    })
    expect(lines.session).toEqual(['a=ice-lite', 'a=ice-pacing:5'])
    expect(lines.media).toEqual([
      'a=ice-ufrag:8hhY',
      'a=ice-pwd:asd88fgpdd777uzjYhagZg',
      'a=ice-options:ice2 trickle',
      'a=candidate:1 1 udp 2130706431 192.0.2.1 1000 typ host',
      'a=remote-candidates:1 192.0.2.3 45664',
      'a=end-of-candidates',
    ])
    expect(parseIceAttributes(lines.session.join('\n'), lines.media.join('\n'))).toEqual({
      ...description,
      candidates: [candidate],
      endOfCandidates: true,
      mismatch: false,
      remoteCandidates,
      ignored: [],
    })
  })
})
