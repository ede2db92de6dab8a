/** WHIP and WHEP over HTTP on loopback: our client at our server, media from one client to another. */

import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openMedia } from '../../../src/peer/media-source.ts'
import { play, publish, type WhipOptions } from '../../../src/peer/whip/client.ts'
import { WhipServer, type WhipServerEvents, type WhipServerOptions } from '../../../src/peer/whip/server.ts'

interface Seen {
  readonly method: string
  readonly headers: NodeJS.Dict<string | string[]>
  readonly status: number
}

describe('WHIP and WHEP', { timeout: 120_000 }, () => {
  let http: Server
  let server: WhipServer | undefined
  let url: string
  const seen: Seen[] = []

  afterEach(async () => {
    await server?.close()
    await new Promise<void>((resolve) => {
      http.close(() => resolve())
      http.closeAllConnections()
    })
    seen.length = 0
    server = undefined
  })

  async function listen(handler: RequestListener): Promise<void> {
    http = createServer((request, response) => {
      response.on('finish', () => {
        seen.push({ method: request.method!, headers: request.headers, status: response.statusCode })
      })
      handler(request, response)
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  }

  async function serve(options: WhipServerOptions = {}, events: WhipServerEvents = {}): Promise<void> {
    const made = new WhipServer(options, events)
    server = made
    await listen((request, response) => {
      if (!made.handle(request, response)) response.writeHead(404).end()
    })
  }

  const at = (path: string, more: Partial<WhipOptions> = {}): WhipOptions => ({ url: url + path, ...more })
  const methods = () => seen.map(({ method }) => method)

  it.each([
    ['trickling', true],
    ['with all candidates in the offer', false],
  ])('carries media from who publishes to who plays, %s', async (_name, trickle) => {
    const ended: string[] = []
    await serve({}, { ended: ({ role }, reason) => ended.push(`${role}: ${reason}`) })
    const media = await openMedia('test', ['video', 'audio'])
    const publisher = await publish(media, at('/whip', { trickle }))
    await publisher.connected()
    const packets = { video: 0, audio: 0 }
    const player = await play({
      ...at('/whep', { trickle }),
      handlers: {
        track: (track) =>
          track.onReceiveRtp.subscribe(() => {
            packets[track.kind as 'video' | 'audio']++
          }),
      },
    })
    await player.connected()
    await expect.poll(() => Math.min(packets.video, packets.audio), { timeout: 60_000 }).toBeGreaterThan(50)
    expect(await player.path()).toMatchObject({ isRelayed: false })
    if (trickle)
      await expect.poll(() => methods().filter((method) => method === 'PATCH').length).toBeGreaterThan(1)
    else expect(methods()).toEqual(['POST', 'POST'])
    for (const { method, status } of seen) expect(status, method).toBe(method === 'POST' ? 201 : 204)
    await player.close()
    await publisher.close()
    media.close()
    expect(server!.sessions).toEqual([])
    expect(ended).toEqual(['player: the client has ended it', 'publisher: the client has ended it'])
  })

  it('carries H.264 as H.264, as OBS publishes it', async () => {
    await serve()
    const media = await openMedia('test/support/media/h264-opus.mp4', ['video'], { loop: true })
    const publisher = await publish(media, at('/whip'))
    await publisher.connected()
    let packets = 0
    const player = await play({
      ...at('/whep'),
      handlers: { track: (track) => track.onReceiveRtp.subscribe(() => packets++) },
    })
    await expect.poll(() => packets, { timeout: 60_000 }).toBeGreaterThan(20)
    const answered = player.connection.remoteDescription!.sdp
    expect(answered.match(/a=rtpmap:\d+ (?:VP8|VP9|AV1|H264)/g)).toEqual([expect.stringContaining('H264')])
    await player.close()
    await publisher.close()
    media.close()
  })

  it.each(['test', 'test/support/media/h264-opus.mp4'])('plays a file to two at a time: %s', async (file) => {
    const media = await openMedia(file, ['video'], { loop: true })
    await serve({ media })
    const packets = [0, 0]
    const players = await Promise.all(
      packets.map((_, index) =>
        play({
          ...at('/whep'),
          handlers: { track: (track) => track.onReceiveRtp.subscribe(() => packets[index]!++) },
        }),
      ),
    )
    await expect.poll(() => Math.min(...packets), { timeout: 60_000 }).toBeGreaterThan(50)
    for (const player of players) await player.close()
    media.close()
  })

  it('restarts ICE: other credentials, another entity tag, and the media go on', async () => {
    await serve()
    const media = await openMedia('test', ['video'])
    let packets = 0
    await using publisher = await publish(media, at('/whip'))
    await publisher.connected()
    const [session] = server!.sessions
    session!.connection.getTransceivers()[0]!.receiver.tracks[0]!.onReceiveRtp.subscribe(() => packets++)
    const [tag, ufrag] = [session!.tag, ufragOf(publisher.connection.localDescription!.sdp)]
    await publisher.restartIce()
    expect(session!.tag).not.toBe(tag)
    expect(ufragOf(publisher.connection.localDescription!.sdp)).not.toBe(ufrag)
    expect(ufragOf(session!.connection.remoteDescription!.sdp)).toBe(
      ufragOf(publisher.connection.localDescription!.sdp),
    )
    const before = packets
    await expect.poll(() => packets, { timeout: 60_000 }).toBeGreaterThan(before + 50)
    media.close()
  })

  it('shows its token, and says so when it is wrong', async () => {
    await serve({ token: 'right' })
    const media = await openMedia('test', ['video'])
    await expect(publish(media, at('/whip', { token: 'wrong' }))).rejects.toMatchObject({
      code: 'call-failed',
      message: `${url}/whip answered 401 Unauthorized: a token is asked for: Authorization: Bearer … `,
    })
    const session = await publish(media, at('/whip', { token: 'right' }))
    await session.connected()
    await session.close()
    expect(seen.at(-1)).toMatchObject({ method: 'DELETE', status: 200 })
    media.close()
  })

  it('learns the servers from the Link of the answer, before it gathers', async () => {
    await serve({
      iceServers: [
        { urls: ['stun:127.0.0.1:9'] },
        { urls: ['turn:127.0.0.1:9'], username: 'a,b', credential: '"' },
      ],
    })
    const media = await openMedia('test', ['video'])
    await using session = await publish(media, at('/whip'))
    expect(session.connection.getConfiguration().iceServers).toEqual([
      { urls: 'stun:127.0.0.1:9' },
      { urls: 'turn:127.0.0.1:9', username: 'a,b', credential: '"' },
    ])
    media.close()
  })

  it('lets one publish at a time, and tells the second so', async () => {
    await serve()
    const media = await openMedia('test', ['video'])
    const first = await publish(media, at('/whip'))
    await expect(publish(media, at('/whip'))).rejects.toThrow('409 Conflict: somebody publishes here already')
    await first.close()
    const second = await publish(media, at('/whip'))
    await second.close()
    media.close()
  })

  it('follows a redirect with its offer, and none that makes a GET of it', async () => {
    const made = new WhipServer()
    server = made
    await listen((request, response) => {
      const status = { '/balance': 307, '/old': 302 }[request.url!]
      if (status !== undefined) response.writeHead(status, { Location: '/whip' }).end()
      else if (!made.handle(request, response)) response.writeHead(404).end()
    })
    const media = await openMedia('test', ['video'])
    const session = await publish(media, at('/balance'))
    expect(session.url.startsWith(`${url}/whip/`)).toBe(true)
    await session.close()
    await expect(publish(media, at('/old'))).rejects.toThrow('redirects by 302, where 307 or 308 is right')
    media.close()
  })

  it('says what is wrong with an endpoint that is none', async () => {
    let answer: [number, Record<string, string>, string] = [200, {}, 'hello']
    await listen((_request, response) => {
      response.writeHead(answer[0], answer[1]).end(answer[2])
    })
    const media = await openMedia('test', ['video'])
    const attempt = () => publish(media, at('/whip'))
    await expect(attempt()).rejects.toThrow('answered 200 OK, which is not 201 Created with a Location')
    answer = [201, { Location: '/s/1' }, 'no description']
    await expect(attempt()).rejects.toThrow(`what ${url}/whip answered does not fit`)
    answer = [404, {}, 'nobody\nhere\u0007']
    await expect(attempt()).rejects.toThrow('answered 404 Not Found: nobody here')
    const nowhere = 'http://127.0.0.1:9/whip'
    await expect(publish(media, { url: nowhere })).rejects.toThrow(`${nowhere} cannot be reached`)
    media.close()
  })
})

function ufragOf(sdp: string): string {
  return /^a=ice-ufrag:(\S+)/m.exec(sdp)![1]!
}
