/**
 * Who may enter a room: whoever shows the shared key, or a token for that room that was signed with it and has not
 * expired. A token is `EXPIRY.SIGNATURE`, the signature an HMAC-SHA256 over `EXPIRY:ROOM` in base64url.
 */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { EpochSeconds } from '../core/time.ts'
import type { Join } from './protocol.ts'

/** A token that admits its bearer to `room` until `expiry`. */
export function mintRoomToken(key: string, room: string, expiry: EpochSeconds): string {
  return `${expiry}.${sign(key, room, `${expiry}`)}`
}

/** Whether the token is the key itself, or was minted with it for this room and is still good. */
export function isAdmitted(key: string, { room, token = '' }: Join, now: EpochSeconds): boolean {
  const [, expiry, signature] = /^(\d{1,12})\.([\w-]{43})$/.exec(token) ?? []
  const isKey = isSame(token, key)
  if (expiry === undefined || signature === undefined) return isKey
  return isKey || (isSame(signature, sign(key, room, expiry)) && Number(expiry) > now)
}

function sign(key: string, room: string, expiry: string): string {
  return createHmac('sha256', key).update(`${expiry}:${room}`).digest('base64url')
}

/** In a time that tells nothing, whatever the lengths are. */
export function isSame(x: string, y: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(x), digest(y))
}
