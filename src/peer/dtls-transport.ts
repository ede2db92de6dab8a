/**
 * werift's DTLS with two of its faults mended: its client waits 100 ms before its ClientHello, for a server that our ICE
 * holds packets back for; and what arrives twice, because a host is slow or a path long, ends its handshake.
 */

import { RTCDtlsTransport } from './werift.ts'

interface Handshake {
  readonly msg_type: number
  readonly fragment: Uint8Array
}

/** What werift's DtlsClient and DtlsServer have in common. */
interface DtlsSocket {
  readonly connected: boolean
  /** `flight` is the last one of ours (RFC 6347 §4.2.4): odd numbers are the client's. */
  readonly dtls: { readonly flight: number }
  onHandleHandshakes(messages: Handshake[]): Promise<void>
  /** The client's. */
  connect?(): Promise<void>
}

export class PromptDtlsTransport extends RTCDtlsTransport {
  override async start(): Promise<void> {
    // Both sockets are made before the first wait.
    const started = super.start()
    const socket = this.dtls as unknown as DtlsSocket | undefined
    if (socket !== undefined) {
      dropRepeated(socket)
      startAtOnce(socket, (error) => this.dtls?.onError.execute(error))
    }
    return started
  }
}

function startAtOnce(client: DtlsSocket, failed: (error: Error) => void): void {
  const connect = client.connect?.bind(client)
  if (connect === undefined) return
  client.connect = async () => {}
  connect().catch(failed)
}

const clientHello = 1
const helloVerifyRequest = 3

/** A message of a flight that has been answered is no fault (RFC 6347 §4.2.4), nor a wish to begin anew (RFC 8827 §6.5). */
function dropRepeated(socket: DtlsSocket): void {
  const handle = socket.onHandleHandshakes.bind(socket)
  socket.onHandleHandshakes = (messages) => handle(messages.filter((message) => !isRepeated(socket, message)))
}

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
