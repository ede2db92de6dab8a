/** What a data channel carries. */

import type { PeerPair } from '../../test/support/peer-pair.ts'

const messageBytes = 16_384
/** Limit: what may wait in the sender, as applications keep it. */
const buffered = 1024 * 1024

/** Megabits a second from a to b in so many messages, and what they cost of one processor. */
export async function throughput(
  { channels: [from, to] }: PeerPair,
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
