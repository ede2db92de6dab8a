/** Two peer connections in this process that signal to each other directly. */

import type { RTCDataChannel, RTCPeerConnection } from 'werift'

type Connection = RTCPeerConnection

export interface PeerPair {
  /** a's and b's end of one data channel, open. */
  readonly channels: readonly [RTCDataChannel, RTCDataChannel]
  /** From when both had both descriptions until the channel was open at both. */
  readonly openMs: number
  close(): Promise<void>
}

/** Connects two peers by a data channel. */
export async function connectPair(make: () => Connection): Promise<PeerPair> {
  const [a, b] = [make(), make()]
  trickle(a, b)
  const own = a.createDataChannel('x')
  const remote = new Promise<RTCDataChannel>((resolve) => {
    b.ondatachannel = ({ channel }) => resolve(channel)
  })
  const isOpen = new Promise<void>((resolve) => {
    own.onopen = () => resolve()
  })
  await negotiate(a, b)
  const start = performance.now()
  const [other] = await Promise.all([remote, isOpen])
  return {
    channels: [own, other],
    openMs: performance.now() - start,
    close: async () => {
      await Promise.all([a.close(), b.close()])
    },
  }
}

/** Candidates go straight from one to the other. */
export function trickle(a: Connection, b: Connection): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.onicecandidate = ({ candidate }) => {
      to.addIceCandidate(candidate ?? undefined).catch(() => {})
    }
  }
}

/** One offer of a, and b's answer. */
export async function negotiate(a: Connection, b: Connection): Promise<void> {
  await a.setLocalDescription(await a.createOffer())
  await b.setRemoteDescription(a.localDescription!)
  await b.setLocalDescription(await b.createAnswer())
  await a.setRemoteDescription(b.localDescription!)
}
