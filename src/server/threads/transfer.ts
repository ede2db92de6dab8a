/** Values on their way to another thread: addresses lose their class on the road, and get it back on arrival. */

import { TransportAddress } from '../../core/transport-address.ts'

interface PackedAddress {
  readonly packedAddress: readonly [number, number, number, number, number]
}

/** A copy that `postMessage` takes as it is. Objects have to be plain, but for addresses and byte arrays. */
export function pack(value: unknown): unknown {
  if (value instanceof TransportAddress) {
    const { a, b, c, d, port } = value
    return { packedAddress: [a, b, c, d, port] } satisfies PackedAddress
  }
  return mapInside(value, pack)
}

/** What `pack` was given. */
export function unpack<Value>(value: unknown): Value {
  if (isPackedAddress(value)) return new TransportAddress(...value.packedAddress) as Value
  return mapInside(value, unpack) as Value
}

function mapInside(value: unknown, change: (inner: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change)
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  if (value instanceof SharedArrayBuffer) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, change(inner)]))
}

function isPackedAddress(value: unknown): value is PackedAddress {
  return typeof value === 'object' && value !== null && 'packedAddress' in value
}
