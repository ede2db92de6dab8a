import { expect, test } from 'vitest'
import type { TransportAddress } from '../../src/core/transport-address.ts'
import { behindNat } from '../support/probe-nat.ts'

test.each([
  [true, 'rewritten'],
  [false, 'as it was'],
] as const)(
  'alg %s: the inner address in a payload arrives %s, and the answer inside is turned back',
  (alg, fate) => {
    const { internet, host, outside, open, external } = behindNat({ alg })
    const inner = open(5000)
    const payload = `tell ${String.fromCharCode(...octets(host.address()))} this`
    const seen: number[][] = []
    const peer = outside.host.bindUdp(
      { address: outside.host.address(7777) },
      {
        bound: () => {},
        failed: () => {},
        sendFailed: () => {},
        datagram: (bytes, source) => {
          seen.push([...bytes.subarray(5, 9)])
          peer.send(bytes, source)
        },
      },
    )
    internet.run()
    inner.socket.send(
      Uint8Array.from(payload, (char) => char.charCodeAt(0)),
      outside.host.address(7777),
    )
    internet.run()
    expect(seen).toEqual([octets(fate === 'rewritten' ? external(0) : host.address())])
    expect(inner.arrived).toHaveLength(1)
  },
)

function octets(address: TransportAddress): number[] {
  return address.ip.split('.').map(Number)
}
