/** Link headers and SDP fragments: what WHIP says beside the descriptions. */

import { describe, expect, it } from 'vitest'
import { formatIceServers, parseIceServers } from '../../../src/peer/whip/link.ts'
import {
  formatSdpFragment,
  fragmentOf,
  parseSdpFragment,
  withFragment,
} from '../../../src/peer/whip/sdp-fragment.ts'

const ufrag = 'EsAw'
const pwd = 'P2uYro0UCOQ4zxjKXaWCBui1'
const candidate = 'candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host'
const login = 'a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n'

describe('an SDP fragment', () => {
  it('has credentials, then the candidates of the one bundled section', () => {
    const text = formatSdpFragment({ ufrag, pwd, candidates: [candidate], isComplete: true }, '0')
    expect(text).toBe(`${login}m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=${candidate}\r\na=end-of-candidates\r\n`)
    expect(parseSdpFragment(text)).toEqual({ ufrag, pwd, candidates: [candidate], isComplete: true })
  })

  it('has nothing but credentials when ICE is restarted without candidates', () => {
    const fragment = { ufrag, pwd, candidates: [], isComplete: false }
    expect(formatSdpFragment(fragment, '0')).toBe(login)
    expect(parseSdpFragment(login.replaceAll('\r', ''))).toEqual(fragment)
  })

  it.each([
    ['', 'a=ice-ufrag or a=ice-pwd is missing'],
    ['a=ice-ufrag:EsAw\r\n', 'a=ice-ufrag or a=ice-pwd is missing'],
    ['a=ice-ufrag:E\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n', 'a=ice-ufrag or a=ice-pwd is missing'],
    ['<html>', '"<html>" is not a line of SDP'],
    [`${login}x`, '"x" is not a line of SDP'],
    [
      login +
        Array.from({ length: 101 }, (_, n) => `a=candidate:${n} 1 udp 1 192.0.2.1 1 typ host\r\n`).join(''),
      'more than 100 candidates',
    ],
  ])('is not %j', (text, why) => {
    expect(parseSdpFragment(text)).toBe(why)
  })

  it('gives a description other credentials and candidates, and changes nothing else', () => {
    const section = (mid: string, inner: string) =>
      `m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:old1\r\na=ice-pwd:${'o'.repeat(22)}\r\na=mid:${mid}\r\n${inner}`
    const old = `v=0\r\n${section('0', 'a=candidate:9 1 udp 1 192.0.2.9 9 typ host\r\na=rtcp-mux\r\n')}${section('1', 'a=end-of-candidates\r\n')}`
    const sdp = withFragment(old, { ufrag: '$&$1', pwd, candidates: [candidate], isComplete: true })
    expect(sdp).toBe(
      old
        .replaceAll('old1', () => '$&$1')
        .replaceAll('o'.repeat(22), pwd)
        .replace(
          'a=candidate:9 1 udp 1 192.0.2.9 9 typ host\r\n',
          `a=${candidate}\r\na=end-of-candidates\r\n`,
        )
        .replace(/a=end-of-candidates\r\n$/, ''),
    )
    expect(fragmentOf(old)).toMatchObject({ ufrag: 'old1', isComplete: true })
  })
})

describe('Link: rel="ice-server"', () => {
  it('says what RTCPeerConnection takes, and is read back', () => {
    const servers = [
      { urls: ['stun:stun.example.net'] },
      {
        urls: ['turn:turn.example.net?transport=udp', 'turns:[2001:db8::1]:443'],
        username: 'a, b; "c"',
        credential: '\\x',
      },
    ]
    const links = formatIceServers(servers)
    expect(links).toEqual([
      '<stun:stun.example.net>; rel="ice-server"',
      '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="a, b; \\"c\\""; credential="\\\\x"; credential-type="password"',
      '<turns:[2001:db8::1]:443>; rel="ice-server"; username="a, b; \\"c\\""; credential="\\\\x"; credential-type="password"',
    ])
    expect(parseIceServers(links.join(', ')).flatMap(({ urls }) => urls)).toEqual(
      servers.flatMap(({ urls }) => urls),
    )
    expect(parseIceServers(links.join(', ')).at(-1)).toMatchObject({
      username: 'a, b; "c"',
      credential: '\\x',
    })
  })

  it.each([
    [null],
    [''],
    ['<https://example.net/sse>; rel="urn:ietf:params:whip:ext:x"'],
    ['<https://example.net/>; rel=ice-server'],
    ['<turn:turn.example.net>; rel="ice-server"'],
    ['<turn:turn.example.net>; rel=ice-server; username=a; credential=b; credential-type="token"'],
    ['<<<;;;,,,"""'],
  ])('leaves out %j', (header) => {
    expect(parseIceServers(header)).toEqual([])
  })

  it('takes tokens without quotes, and other spacing', () => {
    expect(
      parseIceServers('<stun:a> ;rel=ice-server,<turn:b>;REL=ice-server ; username = u;credential=p'),
    ).toEqual([{ urls: ['stun:a'] }, { urls: ['turn:b'], username: 'u', credential: 'p' }])
  })
})
