/** What is sent in front of and behind relayed bytes: all of it written, so that memory of others never goes out. */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { packetOf } from '../../src/net/route-packet.ts'

const received = Uint8Array.from({ length: 1500 }, (_, i) => 1 + (i % 100))
const header = Uint8Array.from({ length: 36 }, (_, i) => 101 + i)

/** Leaves nothing but 255 in the pool that arrays are taken from. */
function soilPool(): void {
  for (let taken = 0; taken <= Buffer.poolSize * 2; taken += 1024) Buffer.allocUnsafe(1024).fill(255)
}

describe('A routed packet', () => {
  it('is header, payload and zeros, whatever stood in its memory before', () => {
    for (const headerLength of [0, 4, 36])
      for (const length of [0, 1, 172, 1200])
        for (const padding of [0, 1, 2, 3]) {
          soilPool()
          const packet = packetOf(
            {
              socket: socketId(1),
              destination: TransportAddress.of('192.0.2.1', 1),
              ...{ header, headerLength, start: 20, end: 20 + length, padding, dontFragment: false },
            },
            received,
          )
          expect([...packet]).toEqual([
            ...header.subarray(0, headerLength),
            ...received.subarray(20, 20 + length),
            ...Array(padding).fill(0),
          ])
        }
  })
})
