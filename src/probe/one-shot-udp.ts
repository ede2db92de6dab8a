/**
 * One datagram from a connected socket of its own, and what comes of it: the one place that uses dgram-as-promised.
 * A connected socket hears what an unconnected one never does, that nothing listens there (ICMP port unreachable).
 * Of the package: `recv` loses what arrives while nobody awaits it, `setTimeout` leaves an error behind for the next call,
 * and `send` cannot do without a destination, which a connected socket refuses: none of them is used. An error that comes
 * late would end the process, so a listener of ours stays to the end.
 */

import { DgramAsPromised, type SocketAsPromised } from 'dgram-as-promised'
import type { TransportAddress } from '../core/transport-address.ts'
import { encodeMessage } from '../stun/encode.ts'

/** Limit: a refusal comes within a round trip, or not at all. */
const refusalMs = 2000

export type OneShot =
  | { readonly type: 'answered'; readonly bytes: Uint8Array }
  /** The system's code, such as ECONNREFUSED. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'silent' }

/** Never rejects, and leaves no socket behind. */
export async function sendOnce(
  destination: TransportAddress,
  bytes: Uint8Array,
  timeoutMs: number,
): Promise<OneShot> {
  const result = Promise.withResolvers<OneShot>()
  const refused = (error: unknown) => result.resolve({ type: 'refused', reason: codeOf(error) })
  const socket = DgramAsPromised.createSocket(destination.family === 'IPv4' ? 'udp4' : 'udp6', (message) =>
    result.resolve({ type: 'answered', bytes: message }),
  )
  socket.socket.on('error', refused)
  const timer = setTimeout(() => result.resolve({ type: 'silent' }), timeoutMs)
  try {
    await socket.bind()
    await connect(socket, destination)
    socket.socket.send(bytes, (error) => error && refused(error))
    return await result.promise
  } catch (error) {
    return { type: 'refused', reason: codeOf(error) }
  } finally {
    clearTimeout(timer)
    await socket.close().catch(() => {})
  }
}

/** Whether the system says that nothing listens there; silence is no such word. */
export async function isUdpPortClosed(address: TransportAddress): Promise<boolean> {
  const transactionId = crypto.getRandomValues(new Uint8Array(12))
  const request = encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes: [] })
  const result = await sendOnce(address, request, refusalMs)
  return result.type === 'refused' && result.reason === 'ECONNREFUSED'
}

function connect({ socket }: SocketAsPromised, { port, ip }: TransportAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(port, ip, (error?: Error) => (error ? reject(error) : resolve()))
  })
}

function codeOf(error: unknown): string {
  return (error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined) ?? 'UNKNOWN'
}
