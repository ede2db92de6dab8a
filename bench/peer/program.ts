/** Connects, then sends: figures of one program as JSON. `node bench/peer/program.ts turnpike|werift`. */

import { RTCPeerConnection } from 'werift'
import { PeerConnection } from '../../src/peer/peer-connection.ts'
import { connectPair } from '../../test/support/peer-pair.ts'
import { throughput } from './throughput.ts'

const make =
  process.argv[2] === 'werift'
    ? () => new RTCPeerConnection({ iceServers: [], bundlePolicy: 'max-bundle' })
    : () => new PeerConnection()

/** Until most of what runs is compiled, as in a peer that has been there for a while. */
const warmUps = 10
const connects = 25
const openMs: number[] = []
for (let i = 0; i < warmUps + connects; i++) {
  const pair = await connectPair(make)
  if (i >= warmUps) openMs.push(pair.openMs)
  await pair.close()
}
const pair = await connectPair(make)
await throughput(pair, 200)
const rates = [await throughput(pair, 600), await throughput(pair, 600), await throughput(pair, 600)]
process.stdout.write(`${JSON.stringify({ openMs, rates })}\n`, () => process.exit(0))
