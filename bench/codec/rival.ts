/** npm turn-server's codec, with the types that its declarations leave out. */

import { wire } from 'turn-server'

export interface RivalMessage {
  getAttribute(type: number): { readonly ip: string; readonly port: number } | string | null
}

interface RivalWire {
  encode_message(options: {
    readonly method: number
    readonly cls: number
    readonly transactionId: Uint8Array
    readonly key: Uint8Array
    readonly fingerprint: boolean
    readonly attributes: readonly { readonly type: number; readonly value: unknown }[]
  }): { readonly buf: Uint8Array }
  decode_message(bytes: Uint8Array): RivalMessage | null
}

export const rival = wire as unknown as RivalWire
