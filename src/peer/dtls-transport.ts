/**
 * werift's DTLS with three of its faults mended: its client waits 100 ms before its ClientHello, for a server that our ICE
 * holds packets back for; what arrives twice, because a host is slow or a path long, ends its handshake; and so does a
 * second description, as that of an ICE restart, before the handshake is over. Its key agreement is
 * Node's.
 */

import { useNativeX25519 } from './native-x25519.ts'
import { DtlsClient, type DtlsSocket, RTCDtlsTransport } from './werift.ts'

useNativeX25519()

export class PromptDtlsTransport extends RTCDtlsTransport {
  /** A handshake that goes on is nothing to begin again: who has begun it goes on after it, and the second has nothing to do. */
  override async start(): Promise<void> {
    if (this.state === 'connecting') return new Promise(() => {})
    // Both sockets are made before the first wait.
    const started = super.start()
    const socket = this.dtls
    if (socket !== undefined) {
      dropRepeated(socket)
      if (socket instanceof DtlsClient) startAtOnce(socket)
    }
    return started
  }
}

function startAtOnce(client: DtlsClient): void {
  const started = client.connect()
  client.connect = async () => {}
  started.catch((error) => client.onError.execute(error))
}

const clientHello = 1
const helloVerifyRequest = 3

/** A message of a flight that has been answered is no fault (RFC 6347 §4.2.4), nor a wish to begin anew (RFC 8827 §6.5). */
function dropRepeated(socket: DtlsSocket): void {
  const handle = socket.onHandleHandshakes.bind(socket)
  socket.onHandleHandshakes = (messages) => handle(messages.filter((message) => !isRepeated(socket, message)))
}

type Handshake = Parameters<DtlsSocket['onHandleHandshakes']>[0][number]

/** `flight` is the last one of ours (RFC 6347 §4.2.4): odd numbers are the client's. */
function isRepeated({ dtls: { flight }, connected }: DtlsSocket, message: Handshake): boolean {
  if (message.msg_type === helloVerifyRequest) return flight >= 3
  if (message.msg_type !== clientHello) return false
  // The one with a cookie asks for flight 4 again, which it gets.
  return connected || flight > 4 || (flight === 4 && !hasCookie(message.fragment))
}

/** ClientHello: version and random, 34 bytes; the session and the cookie, each behind its length (RFC 6347 §4.2.1). */
function hasCookie(hello: Uint8Array): boolean {
  const cookieAt = 35 + (hello[34] ?? 0)
  return (hello[cookieAt] ?? 0) > 0
}
