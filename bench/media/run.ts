/** One stream over one path, in a process of its own; one line of JSON. `run.ts SECONDS LOSS udp|tcp`. */

import { RTCRtpCodecParameters, useNACK, usePLI } from 'werift'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { PeerConnection, type PeerConnectionConfig } from '../../src/peer/peer-connection.ts'
import { defaultConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import { negotiate, trickle } from '../../test/support/peer-pair.ts'
import { FrameReceiver, FrameSender, oneWayMs } from './stream.ts'

const [seconds, loss] = process.argv.slice(2, 4).map(Number) as [number, number]
const isOverTcp = process.argv[4] === 'tcp'
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const video = [
  new RTCRtpCodecParameters({
    mimeType: 'video/VP8',
    clockRate: 90_000,
    rtcpFeedback: [useNACK(), usePLI()],
  }),
]

const result = await stream()
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))

async function stream(): Promise<{ sent: number; delivered: number; gaps: number[] }> {
  const internet = new Internet({ seed: 1, link: { delayMs: oneWayMs } })
  const serverHost = internet.host()
  const server = await internet.until(
    startServer(
      {
        ...defaultConfig,
        users: [{ name: 'alice', password: 'wonder' }],
        listen: (['udp', 'tcp'] as const).map((transport) => ({
          transport,
          address: TransportAddress.of('0.0.0.0', 3478),
          isOptional: false,
        })),
      },
      serverHost,
      silent,
    ),
  )
  const urls = `turn:${serverHost.address().ip}?transport=tcp`
  const relayed: PeerConnectionConfig = {
    iceServers: [{ urls, username: 'alice', credential: 'wonder' }],
    iceTransportPolicy: 'relay',
  }
  const open = (host: SimHost, config: PeerConnectionConfig = {}) =>
    new PeerConnection({ host, codecs: { video }, ...config })
  const hosts = [internet.host(), internet.host()] as const
  const stop = internet.runInRealTime()
  const [a, b] = [open(hosts[0], isOverTcp ? relayed : {}), open(hosts[1])]
  const sender = new FrameSender()
  const receiver = new FrameReceiver()
  b.onTrack.subscribe((track) => track.onReceiveRtp.subscribe((packet) => receiver.receive(packet)))
  a.addTransceiver(sender.track, { direction: 'sendonly' })
  await connect(a, b)
  hosts[0].interface().changeLink({ loss })
  const [sentBefore, deliveredBefore] = [sender.frames, receiver.deliveredAt.length]
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const result = {
    sent: sender.frames - sentBefore,
    delivered: receiver.deliveredAt.length - deliveredBefore,
    gaps: receiver.gaps(performance.now()),
  }
  sender.stop()
  hosts[0].interface().changeLink({ loss: 0 })
  await Promise.all([a.close(), b.close()])
  stop()
  server.close()
  return result
}

async function connect(a: PeerConnection, b: PeerConnection): Promise<void> {
  trickle(a, b)
  const isConnected = new Promise<void>((resolve) => {
    b.onconnectionstatechange = () => {
      if (b.connectionState === 'connected') resolve()
    }
  })
  await negotiate(a, b)
  await isConnected
}
