/**
 * The same with two peer connections of node-datachannel (libjuice). The clock starts when the offerer takes the answer,
 * the last thing that is missing: the answerer has gathered and begun to check by then.
 */

import { PeerConnection } from 'node-datachannel'
import { report, type Sample } from './sample.ts'

let number = 0

await report(async (): Promise<Sample> => {
  number++
  const options = { iceServers: [], bindAddress: '127.0.0.1' }
  const [a, b] = [new PeerConnection(`a${number}`, options), new PeerConnection(`b${number}`, options)]
  const gathered = (peer: PeerConnection) =>
    new Promise<void>((resolve) => {
      peer.onGatheringStateChange((state) => {
        if (state === 'complete') resolve()
      })
    })
  const isReady = { a: gathered(a), b: gathered(b) }
  let start = 0
  const states = new Map<string, number>()
  const completed = new Promise<void>((resolve) => {
    for (const [name, peer] of [
      ['a', a],
      ['b', b],
    ] as const) {
      peer.onIceStateChange((state) => {
        states.set(`${name} ${state}`, performance.now())
        if (states.has('a completed') && states.has('b completed')) resolve()
      })
    }
  })
  a.createDataChannel('x')
  await isReady.a
  const offer = a.localDescription()!
  b.setRemoteDescription(offer.sdp, offer.type)
  await isReady.b
  const answer = b.localDescription()!
  start = performance.now()
  a.setRemoteDescription(answer.sdp, answer.type)
  await completed
  a.close()
  b.close()
  return {
    connected: Math.max(states.get('a connected') ?? 0, states.get('b connected') ?? 0, start) - start,
    completed: Math.max(states.get('a completed')!, states.get('b completed')!) - start,
  }
})
