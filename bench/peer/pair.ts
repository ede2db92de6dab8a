/** Two peer connections in this process that signal to each other directly, and what they do. */

import type { RTCDataChannel, RTCPeerConnection } from 'werift'

export interface Pair {
  readonly a: RTCPeerConnection
  readonly b: RTCPeerConnection
  /** a's and b's end of one data channel, open. */
  readonly channels: readonly [RTCDataChannel, RTCDataChannel]
  /** From when both had both descriptions until the channel was open at both. */
  readonly openMs: number
  close(): Promise<void>
}

export async function connectPair(make: () => RTCPeerConnection): Promise<Pair> {
  const [a, b] = [make(), make()]
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.onicecandidate = ({ candidate }) => {
      to.addIceCandidate(candidate ?? undefined).catch(() => {})
    }
  }
  const own = a.createDataChannel('x')
  const remote = new Promise<RTCDataChannel>((resolve) => {
    b.ondatachannel = ({ channel }) => resolve(channel)
  })
  const isOpen = new Promise<void>((resolve) => {
    own.onopen = () => resolve()
  })
  await a.setLocalDescription(await a.createOffer())
  await b.setRemoteDescription(a.localDescription!)
  await b.setLocalDescription(await b.createAnswer())
  await a.setRemoteDescription(b.localDescription!)
  const start = performance.now()
  const [other] = await Promise.all([remote, isOpen])
  return {
    a,
    b,
    channels: [own, other],
    openMs: performance.now() - start,
    close: async () => {
      await Promise.all([a.close(), b.close()])
    },
  }
}

const messageBytes = 16_384
/** Limit: what may wait in the sender, as applications keep it. */
const buffered = 1024 * 1024

/** Megabits a second from a to b in so many messages, and what they cost of one processor. */
export async function throughput(
  { channels: [from, to] }: Pair,
  messages: number,
): Promise<{ megabits: number; cpuPerMegabyte: number }> {
  let received = 0
  const done = new Promise<void>((resolve) => {
    to.onmessage = () => {
      if (++received === messages) resolve()
    }
  })
  const message = Buffer.alloc(messageBytes, 7)
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  for (let sent = 0; sent < messages; sent++) {
    while (from.bufferedAmount > buffered) await new Promise((resolve) => setTimeout(resolve, 1))
    from.send(message)
  }
  await done
  const seconds = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const megabytes = (messages * messageBytes) / 1e6
  return { megabits: (megabytes * 8) / seconds, cpuPerMegabyte: (user + system) / 1000 / megabytes }
}
