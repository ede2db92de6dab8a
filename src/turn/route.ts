/**
 * What the data path answers with (RFC 8656 §11, §12): which bytes of the datagram just handed in go out where,
 * behind which header. The engine keeps one and overwrites it with every packet.
 */

import type { SocketId } from '../core/sans-io.ts'
import type { AddressWords } from '../core/transport-address.ts'

export interface Route {
  readonly socket: SocketId
  readonly destination: AddressWords
  /** To be sent before the payload; owned by the engine, good until its next input. */
  readonly header: Uint8Array
  readonly headerLength: number
  /** The payload: this range of the bytes that were handed in. */
  readonly start: number
  readonly end: number
  /** Zero bytes to be sent behind the payload: 0–3. */
  readonly padding: number
  /** To be sent with the DF bit set. Only ever true where the driver has said that it can (§14, §15). */
  readonly dontFragment: boolean
}

export type MutableRoute = { -readonly [Key in keyof Route]: Route[Key] }
