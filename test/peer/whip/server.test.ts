/** The WHIP and WHEP endpoints, request by request: what is right, what is wrong, and what is meant to harm. */

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PeerConnection } from '../../../src/peer/peer-connection.ts'
import { fragmentOf } from '../../../src/peer/whip/sdp-fragment.ts'
import { WhipServer } from '../../../src/peer/whip/server.ts'

const sdp = 'application/sdp'
const fragment = 'application/trickle-ice-sdpfrag'
const otherLogin = `a=ice-ufrag:othr\r\na=ice-pwd:${'x'.repeat(24)}\r\n`

describe('a WHIP endpoint', { timeout: 120_000 }, () => {
  let http: Server
  let server: WhipServer
  let url: string
  let offer: string
  let client: PeerConnection

  beforeEach(async () => {
    server = new WhipServer({ maxSessions: 2 })
    http = createServer((request, response) => {
      if (!server.handle(request, response)) response.writeHead(404).end('elsewhere')
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
    client = new PeerConnection()
    client.addTransceiver('video', { direction: 'sendonly' })
    offer = (await client.createOffer()).sdp
  })

  afterEach(async () => {
    await Promise.all([client.close(), server.close()])
    await new Promise<void>((resolve) => {
      http.close(() => resolve())
      http.closeAllConnections()
    })
  })

  async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
    const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  const post = (path: string, body: string, type = sdp) => ask('POST', path, { 'Content-Type': type }, body)

  /** A session that is open, and its PATCH. */
  async function open() {
    const { status, headers, text } = await post('/whip', offer)
    expect(status).toBe(201)
    const path = headers.get('location')!
    const patch = (ifMatch: string | undefined, body: string, type = fragment) =>
      ask(
        'PATCH',
        path,
        { 'Content-Type': type, ...(ifMatch === undefined ? {} : { 'If-Match': ifMatch }) },
        body,
      )
    return { path, tag: headers.get('etag')!, answer: text, type: headers.get('content-type'), patch }
  }

  it('answers with a description that has every candidate, a session that nobody guesses, and a strong entity tag', async () => {
    const { path, tag, answer, type } = await open()
    expect(type).toBe(sdp)
    expect(path).toMatch(/^\/whip\/[\w-]{22}$/)
    expect(tag).toMatch(/^"[\w-]{22}"$/)
    expect(answer).toContain('a=recvonly')
    expect(fragmentOf(answer)!.candidates.length).toBeGreaterThan(0)
  })

  it.each<[string, () => [string, string, Record<string, string>?, string?], number, string]>([
    ['GET of the endpoint', () => ['GET', '/whip'], 405, 'GET is not for an endpoint'],
    ['HEAD of the endpoint', () => ['HEAD', '/whep'], 405, ''],
    ['PUT to a session', () => ['PUT', '/whip/x'], 405, 'PUT is not for a session'],
    ['POST to a session', () => ['POST', '/whip/x'], 405, 'POST is not for a session'],
    ['DELETE of nothing', () => ['DELETE', '/whip/x'], 404, 'no such session'],
    [
      'PATCH of nothing',
      () => ['PATCH', '/whep/x', { 'Content-Type': fragment }, otherLogin],
      404,
      'no such session',
    ],
    [
      'an offer as JSON',
      () => ['POST', '/whip', { 'Content-Type': 'application/json' }, offer],
      415,
      'application/sdp is right',
    ],
    [
      'an offer of no type',
      () => ['POST', '/whip', { 'Content-Type': '' }, offer],
      415,
      'Content-Type is missing',
    ],
    [
      'an empty offer',
      () => ['POST', '/whip', { 'Content-Type': sdp }, ''],
      400,
      'not a session description',
    ],
    [
      'an offer of garbage',
      () => ['POST', '/whip', { 'Content-Type': sdp }, '\0\xff'.repeat(99)],
      400,
      'not a session description',
    ],
    [
      'an offer too long',
      () => ['POST', '/whip', { 'Content-Type': sdp }, 'v'.repeat(70_000)],
      413,
      'more than 65536 bytes',
    ],
    [
      'a data channel alone',
      () => ['POST', '/whip', { 'Content-Type': sdp }, dataOnly(offer)],
      406,
      'neither audio nor video',
    ],
    [
      'two pictures',
      () => ['POST', '/whip', { 'Content-Type': sdp }, twice(offer)],
      406,
      '2 sections of video',
    ],
    [
      'codecs of elsewhere',
      () => ['POST', '/whip', { 'Content-Type': sdp }, offer.replaceAll(/VP8|VP9|H264|AV1/g, 'XYZ')],
      406,
      '',
    ],
  ])('refuses %s', async (_name, request, status, words) => {
    const reply = await ask(...request())
    expect(reply.text).toContain(words)
    expect(reply.status).toBe(status)
    expect(server.sessions).toEqual([])
  })

  it('takes an offer with a parameter in its type, and a path with a query', async () => {
    expect((await post('/whip?key=1', offer, 'application/sdp; charset=utf-8')).status).toBe(201)
    expect((await post('/whipx', offer)).text).toBe('elsewhere')
  })

  it('tells pages what they may ask, before it asks for a token', async () => {
    const endpoint = await ask('OPTIONS', '/whip')
    expect(endpoint.status).toBe(204)
    expect(Object.fromEntries(endpoint.headers)).toMatchObject({
      'accept-post': sdp,
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST, OPTIONS',
      'access-control-allow-headers': 'Authorization, Content-Type, If-Match',
      'access-control-expose-headers': 'Location, ETag, Link',
    })
    expect((await ask('OPTIONS', '/whip/x')).headers.get('accept-patch')).toBe(fragment)
  })

  it('takes candidates for the ICE session that they are of, and no others', async () => {
    const { patch, tag, answer } = await open()
    const { ufrag, pwd } = fragmentOf(offer)!
    const login = `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\n`
    const odd = `${login}m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:no candidate\r\na=end-of-candidates\r\n`
    expect(await patch(undefined, login)).toMatchObject({
      status: 428,
      text: expect.stringContaining('If-Match'),
    })
    expect(await patch('"other"', login)).toMatchObject({ status: 412 })
    expect(await patch(tag, login, sdp)).toMatchObject({ status: 415 })
    expect(await patch(tag, 'v=0\r\nhello')).toMatchObject({
      status: 400,
      text: expect.stringContaining('hello'),
    })
    expect(await patch(tag, otherLogin)).toMatchObject({
      status: 400,
      text: expect.stringContaining('If-Match: *'),
    })
    expect(await patch(tag, odd)).toMatchObject({ status: 204, text: '' })
    expect((await patch(tag, login)).headers.get('etag')).toBeNull()
    const restarted = await patch('*', otherLogin)
    expect(restarted.status).toBe(200)
    expect(restarted.headers.get('content-type')).toBe(fragment)
    expect(fragmentOf(restarted.text)!.ufrag).not.toBe(fragmentOf(answer)!.ufrag)
    // The old tag is of the old ICE session.
    expect(await patch(tag, otherLogin)).toMatchObject({ status: 412 })
    expect(await patch(restarted.headers.get('etag')!, otherLogin)).toMatchObject({ status: 204 })
  })

  it('ends a session once, whatever If-Match says', async () => {
    const { path } = await open()
    expect((await ask('DELETE', path.replace('whip', 'whep'))).status).toBe(404)
    expect((await ask('DELETE', path, { 'If-Match': '"other"' })).status).toBe(200)
    expect((await ask('DELETE', path)).status).toBe(404)
  })

  it('has no more sessions than it has been told, and takes the next when one has ended', async () => {
    const playing = offer.replace('a=sendonly', 'a=recvonly')
    const [first] = [await post('/whep', playing), await post('/whep', playing)]
    const third = await post('/whep', playing)
    expect(third).toMatchObject({ status: 503, text: 'all 2 sessions are taken\n' })
    expect(third.headers.get('retry-after')).toBe('30')
    await ask('DELETE', first.headers.get('location')!)
    expect((await post('/whep', playing)).status).toBe(201)
  })

  it('goes on after a hundred offers that are cut off anywhere', async () => {
    for (let n = 1; n <= 100; n++) {
      const { status, headers } = await post('/whip', offer.slice(0, Math.floor((offer.length * n) / 101)))
      expect([201, 400, 406]).toContain(status)
      if (status === 201) await ask('DELETE', headers.get('location')!)
    }
    expect(server.sessions).toEqual([])
    await open()
  })
})

function dataOnly(offer: string): string {
  const [head] = offer.split(/^m=/m)
  const login = /^a=ice-ufrag:[\s\S]*?^a=ice-pwd:.*\r\n/m.exec(offer)![0]
  const fingerprint = /^a=fingerprint:.*\r\n/m.exec(offer)![0]
  return `${head}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n${login}${fingerprint}a=setup:actpass\r\na=mid:0\r\na=sctp-port:5000\r\n`
}

function twice(offer: string): string {
  const at = offer.search(/^m=video/m)
  return offer.replace('BUNDLE 0', 'BUNDLE 0 1') + offer.slice(at).replace('a=mid:0', 'a=mid:1')
}
