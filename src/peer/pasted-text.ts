/**
 * A session description as one line of text that people can copy: `turnpike1.` and base64url of the description, deflated
 * with a dictionary of what most of them say. With a checksum, so that a line that was cut or mistyped is noticed.
 */

import { deflateSync, inflateSync } from 'node:zlib'

export interface PastedDescription {
  readonly type: 'offer' | 'answer'
  readonly sdp: string
}

const prefix = 'turnpike1.'

/** Limit: characters of a description, as in signaling. */
const maxLength = 65_536

/** Part of the format: another text of it is another version. */
const dictionary = Buffer.from(
  [
    'a=fmtp:96 apt=97 minptime=10;useinbandfec=1\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 ccm fir\r\n',
    'a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=ssrc:1 cname:\r\na=msid:- \r\na=rtcp:9 IN IP4 0.0.0.0\r\na=rtcp-rsize\r\n',
    'm=audio 9 UDP/TLS/RTP/SAVPF 96 0\r\na=rtpmap:96 OPUS/48000/2\r\na=rtpmap:0 PCMU/8000\r\nm=video 9 UDP/TLS/RTP/SAVPF 98\r\n',
    'a=rtpmap:98 VP8/90000\r\na=rtcp-fb:98 nack\r\na=rtcp-fb:98 nack pli\r\na=rtcp-mux\r\na=sendrecv\r\na=sendonly\r\na=recvonly\r\n',
    'a=candidate:1 1 tcp 1518280447 typ host tcptype passive\r\n typ relay raddr 0.0.0.0 rport 9 generation 0 ufrag \r\n',
    'a=candidate:2 1 udp 1694498815 typ srflx raddr 192.168.1. rport \r\na=candidate:1 1 udp 2130706431 192.168.0. 5 typ host\r\n',
    'v=0\r\no=- 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\na=msid-semantic:WMS *\r\n',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sctp-port:5000\r\n',
    'a=max-message-size:65536\r\na=end-of-candidates\r\na=ice-ufrag:\r\na=ice-pwd:\r\na=ice-options:trickle\r\n',
    'a=setup:actpass\r\na=setup:active\r\na=fingerprint:sha-256 ',
  ].join(''),
)

export function encodePasted({ type, sdp }: PastedDescription): string {
  const text = `${type === 'offer' ? 'o' : 'a'}${sdp}`
  return prefix + deflateSync(text, { level: 9, dictionary }).toString('base64url')
}

/** Blanks and line breaks, which mail and chat programs add, are passed over. A string says what is wrong with the text. */
export function decodePasted(pasted: string): PastedDescription | string {
  const text = pasted.replace(/[\s\p{Cc}]+/gu, '')
  if (text === '') return 'nothing was pasted'
  if (!text.startsWith(prefix)) return `it does not begin with ${prefix}`
  const code = text.slice(prefix.length)
  if (!/^[\w-]+$/.test(code)) return 'it has characters that do not belong to it'
  try {
    const bytes = inflateSync(Buffer.from(code, 'base64url'), { dictionary, maxOutputLength: maxLength })
    const described = bytes.toString()
    const type = { o: 'offer', a: 'answer' }[described[0] ?? ''] as PastedDescription['type'] | undefined
    return type === undefined ? 'it is no description' : { type, sdp: described.slice(1) }
  } catch {
    return 'it is not complete, or has been changed on its way'
  }
}
