/** What a datagram is, by its first byte (RFC 7983 §7, with TURN channels as RFC 8656 §12 narrows them). */

export type PacketKind = 'stun' | 'zrtp' | 'dtls' | 'channel-data' | 'rtp' | 'unknown'

/** The kind of a datagram whose first byte is given; 'unknown' for an empty one (pass undefined). */
export function packetKind(firstByte: number | undefined): PacketKind {
  if (firstByte === undefined) return 'unknown'
  if (firstByte <= 3) return 'stun'
  if (firstByte >= 16 && firstByte <= 19) return 'zrtp'
  if (firstByte >= 20 && firstByte <= 63) return 'dtls'
  if (firstByte >= 64 && firstByte <= 79) return 'channel-data'
  if (firstByte >= 128 && firstByte <= 191) return 'rtp'
  return 'unknown'
}

/** Whether a message on a stream that starts with this byte is ChannelData; `allowLegacy` as RFC 5766 §11 had it. */
export function isStreamChannelByte(firstByte: number, allowLegacy: boolean): boolean {
  return firstByte >= 0x40 && firstByte <= (allowLegacy ? 0x7f : 0x4f)
}
