/** What a server counts, for metrics and tests. All numbers only grow, but for `allocations`. */

export class ServerCounters {
  allocations = 0
  allocationsCreated = 0
  bindingResponses = 0
  /** Binding requests that the partner was to answer (RFC 5780). */
  requestsForwarded = 0
  /** Binding responses to clients of the partner's; they are in `bindingResponses` too. */
  partnerAnswers = 0
  successResponses = 0
  errorResponses = 0
  challenges = 0
  /** Requests with a wrong credential, of sources that are proved by their nonce or their connection. */
  authenticationFailures = 0
  /** Unauthenticated answers that the limit per prefix held back. */
  answersWithheld = 0
  /** With peers by TCP, on their way, waiting or in use. Goes down, too. */
  peerConnections = 0
  packetsFromClient = 0
  bytesFromClient = 0
  packetsToClient = 0
  bytesToClient = 0
  /** UDP packets, of those above or of our own, that the system would not send: a full buffer, no route. */
  packetsRefused = 0
  /** Packets that went nowhere, by reason. */
  readonly drops = {
    'not-stun': 0,
    'bad-message': 0,
    'bad-fingerprint': 0,
    'bad-source': 0,
    /** From the partner's address, and not signed with the key. */
    'bad-partner': 0,
    'unexpected-message': 0,
    'no-allocation': 0,
    'no-permission': 0,
    'no-channel': 0,
    'client-away': 0,
    'bad-channel-data': 0,
    'bad-indication': 0,
    'unexpected-icmp': 0,
    'peer-forbidden': 0,
    oversize: 0,
    /** A peer that has connected to an allocation with as many connections as it may have. */
    'no-room': 0,
    /** Over the rate of its allocation, of its user or of the server. */
    'over-bandwidth': 0,
  }
}

export type DropReason = keyof ServerCounters['drops']
