/** What a SignalingHub is made with. */

import type { IceServer, Join, PeerSummary } from './protocol.ts'

export interface HubOptions {
  /** Whether the join may enter its room with the token it shows. */
  readonly authorize: (join: Join) => boolean
  /** The servers, with credentials of its own, that a peer is told of. */
  readonly iceServers: (peer: PeerSummary) => readonly IceServer[]
  readonly maxPeers: number
  readonly maxRooms: number
  readonly maxPeersPerRoom: number
  readonly messagesPerSecond: number
  readonly messageBurst: number
  /** How long a connection may stay without joining. */
  readonly joinTimeoutMs: number
  /** How long after its connection the others are told that a peer is lost. */
  readonly graceMs: number
  /** How long after its connection a session can be resumed. */
  readonly resumeMs: number
  /** Characters kept for a session to resume with. */
  readonly maxBacklogLength: number
}

export const defaultHubOptions: HubOptions = {
  authorize: () => true,
  iceServers: () => [],
  /** Limit: a session costs about 2 KB while it says little. */
  maxPeers: 10_000,
  maxRooms: 5_000,
  /** Limit: everybody in a room hears of everybody, so joining costs the square of this. */
  maxPeersPerRoom: 64,
  /** Limit: trickling 100 candidates to one peer at once is within the burst. */
  messagesPerSecond: 50,
  messageBurst: 250,
  joinTimeoutMs: 10_000,
  graceMs: 2_000,
  resumeMs: 30_000,
  maxBacklogLength: 512 * 1024,
}
