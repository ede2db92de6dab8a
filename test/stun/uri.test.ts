import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatServerUri, parseServerUri } from '../../src/stun/uri.ts'
import { always } from '../support/property.ts'

describe('a server URI', () => {
  it.each([
    ['stun:example.org', { scheme: 'stun', host: 'example.org', isAddress: false }],
    ['stuns:example.org:443', { scheme: 'stuns', host: 'example.org', isAddress: false, port: 443 }],
    ['turn:192.0.2.1:3478', { scheme: 'turn', host: '192.0.2.1', isAddress: true, port: 3478 }],
    ['turn:[2001:db8::1]', { scheme: 'turn', host: '2001:db8::1', isAddress: true }],
    ['turn:[2001:db8::1]:1?transport=udp', { host: '2001:db8::1', port: 1, transport: 'udp' }],
    [
      'turns:a_b.example-1.org.?transport=tcp',
      { scheme: 'turns', host: 'a_b.example-1.org.', transport: 'tcp' },
    ],
    ['turns:1.example', { host: '1.example', isAddress: false }],
  ])('%s is read, and written as it was', (text, expected) => {
    const uri = parseServerUri(text)
    expect(uri).toMatchObject(expected)
    expect(formatServerUri(uri)).toBe(text)
  })

  it('is read in any case, and written in lower case', () => {
    expect(formatServerUri(parseServerUri('TURN:Example.ORG?Transport=TCP'))).toBe(
      'turn:example.org?transport=tcp',
    )
    expect(formatServerUri(parseServerUri('stun:[2001:DB8:0::1]'))).toBe('stun:[2001:db8::1]')
  })

  it.each([
    ['', /begins with stun:/],
    ['example.org', /begins with stun:/],
    ['https:example.org', /begins with stun:/],
    ['stun://example.org', /no \/\//],
    ['stun:', /names no host/],
    ['stun::3478', /names no host/],
    ['stun:2001:db8::1', /in brackets/],
    ['stun:[192.0.2.1]', /no IPv6 address/],
    ['stun:[::1', /in brackets|no IPv6/],
    ['stun:[fe80::1%eth0]', /no IPv6 address/],
    ['stun:192.0.2.256', /neither an IP address nor a domain name/],
    ['stun:1.2.3', /neither an IP address nor a domain name/],
    ['stun:exa mple.org', /neither an IP address nor a domain name/],
    ['stun:-a.org', /neither an IP address nor a domain name/],
    [`stun:${'a'.repeat(64)}.org`, /neither an IP address nor a domain name/],
    ['stun:example.org:', /not a port/],
    ['stun:example.org:0', /not a port/],
    ['stun:example.org:65536', /not a port/],
    ['stun:example.org:34x8', /not a port/],
    ['stun:example.org?transport=tcp', /nothing after a \?/],
    ['stuns:192.0.2.1', /needs a name/],
    ['turn:example.org?transport=tls', /said by turns:/],
    ['turn:example.org?transport=sctp', /transport=udp or transport=tcp/],
    ['turn:example.org?', /transport=udp or transport=tcp/],
    ['turn:example.org?transport=udp?x', /more than one \?/],
    ['turns:example.org?transport=udp', /DTLS/],
  ])('%j is refused, and the message says why', (text, message) => {
    expect(() => parseServerUri(text)).toThrow(
      expect.objectContaining({ code: 'uri-invalid', message: expect.stringMatching(message) }),
    )
  })

  it('that carries a password is refused without saying it', () => {
    expect(() => parseServerUri('turn:alice:wonder@example.org')).toThrow(/no user name and no password/)
    expect(() => parseServerUri('turn:alice:wonder@example.org')).not.toThrow(/wonder/)
  })

  it('of any text is read or refused, and one that is read is written so that it reads the same', () => {
    const part = fc.constantFrom(
      'stun',
      'turns',
      ':',
      '/',
      '[',
      ']',
      '::1',
      '192.0.2.1',
      'a.b',
      '@',
      '?transport=',
      'udp',
      '%',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(part).map((parts) => parts.join('')),
    )
    always(
      fc.property(text, (input) => {
        try {
          const uri = parseServerUri(input)
          expect(parseServerUri(formatServerUri(uri))).toEqual(uri)
        } catch (error) {
          expect(error).toMatchObject({ code: 'uri-invalid' })
        }
      }),
      2000,
    )
  })
})
