/** Control data (cmsg) of a received datagram: its traffic class, and how long the datagrams in it are (UDP_GRO). */

import { constants as c, cmsghdr } from './abi.ts'

export interface ReceivedControl {
  /** DSCP and ECN: the TOS byte of IPv4, the traffic class of IPv6. */
  trafficClass: number
  /** 0 when it is one datagram. */
  segmentBytes: number
}

/** Reads the control data that stands at a word of the arena into `target`. */
export function readControl(
  words: Int32Array,
  bytes: Uint8Array,
  at: number,
  length: number,
  target: ReceivedControl,
): void {
  target.trafficClass = 0
  target.segmentBytes = 0
  const end = at + length
  for (let offset = at; offset + cmsghdr.data < end; ) {
    const word = offset >> 2
    const size = words[word]!
    if (size < cmsghdr.data) return
    const level = words[word + (cmsghdr.level >> 2)]!
    const type = words[word + (cmsghdr.type >> 2)]!
    if (level === c.SOL_UDP) {
      if (type === c.UDP_GRO) target.segmentBytes = words[word + (cmsghdr.data >> 2)]! & 0xffff
    } else if (
      (level === c.IPPROTO_IP && type === c.IP_TOS) ||
      (level === c.IPPROTO_IPV6 && type === c.IPV6_TCLASS)
    ) {
      target.trafficClass = bytes[offset + cmsghdr.data]!
    }
    offset += (size + 7) & ~7
  }
}
