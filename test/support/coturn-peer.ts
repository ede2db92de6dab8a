/** coturn's `turnutils_peer`, which sends back what it receives. */

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type Child, start } from './programs.ts'
import { quietPorts } from './quiet-ports.ts'

const attempts = 20

/**
 * Resolves when it echoes on `port` and the one after it, which it opens as well. It listens at 127.0.0.1, and at
 * other addresses besides where they are named.
 */
export async function startPeer(...otherAddresses: readonly string[]): Promise<Child & { port: number }> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = await quietPorts(2)
    const addresses = ['127.0.0.1', ...otherAddresses].flatMap((address) => ['-L', address])
    const child = start('turnutils_peer', [...addresses, '-p', `${port}`])
    if ((await echoes(port)) && (await echoes(port + 1))) return { ...child, port }
    await child.stop()
  }
  throw new Error(`turnutils_peer did not start in ${attempts} attempts`)
}

/** Asks until it answers; false when it has not after ten seconds. */
async function echoes(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  const answer = once(socket, 'message').then(() => true)
  const timers = [setInterval(() => socket.send('echo', port, '127.0.0.1'), 50)]
  const late = new Promise<boolean>((resolve) => {
    timers.push(setTimeout(() => resolve(false), 10_000))
  })
  const result = await Promise.race([answer, late])
  for (const timer of timers) clearInterval(timer)
  socket.close()
  return result
}
