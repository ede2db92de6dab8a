/** What is counted of connections by TCP and TLS. All numbers only grow, but for `connections`. */

export class StreamCounters {
  connections = 0
  accepted = 0
  /** Over the limit of their address. */
  refused = 0
  handshakeFailures = 0
  /** Connections that we closed, by reason. */
  readonly closed: Record<CloseReason, number> = {
    'not-turn': 0,
    'wrong-length': 0,
    'wrong-cookie': 0,
    'no-message': 0,
    idle: 0,
  }
  /** Messages that a client was too slow to read, dropped whole. */
  messagesDropped = 0
  bytesDropped = 0
}

/** Why we close a connection: a framing fault, no first message in time, or nothing for a long time. */
export type CloseReason = 'not-turn' | 'wrong-length' | 'wrong-cookie' | 'no-message' | 'idle'
