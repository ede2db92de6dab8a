/**
 * HMAC-SHA1 (RFC 2104, FIPS 180-4) for messages of a few hundred bytes: the three or four compressions that such a
 * message takes cost less than one call into native code, and the key's two are kept between messages (ADR 0004).
 * Works on 32-bit integers, with no branch and no index that depends on the key or the message.
 */

import { createHmac } from 'node:crypto'
import { readUint32, writeUint32 } from './bytes.ts'

const blockBytes = 64
const digestBytes = 20

/** Limit: from here on native code is faster, by measurement. */
const longestMessage = 512

/** What SHA-1 has come to after the key's inner and outer block. */
interface KeyState {
  /** A copy, for the array may be changed by its owner. */
  readonly key: Uint8Array
  readonly inner: Int32Array
  readonly outer: Int32Array
}

const keyStates = new WeakMap<Uint8Array, KeyState>()
const initial = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
const state = new Int32Array(5)
const schedule = new Int32Array(80)
/** The last bytes of a message with their padding: one block or two. */
const tail = new Uint8Array(2 * blockBytes)

/** The 20 bytes of HMAC-SHA1 over the message, in a new array. Any key, any message; neither is changed. */
export function hmacSha1(key: Uint8Array, message: Uint8Array): Uint8Array {
  if (key.length > blockBytes || message.length > longestMessage) {
    return createHmac('sha1', key).update(message).digest()
  }
  const { inner, outer } = stateOf(key)
  const digest = new Uint8Array(digestBytes)
  finish(inner, message, digest)
  finish(outer, digest, digest)
  return digest
}

function stateOf(key: Uint8Array): KeyState {
  const known = keyStates.get(key)
  if (known !== undefined && isSame(known.key, key)) return known
  const made = { key: key.slice(), inner: keyBlock(key, 0x36), outer: keyBlock(key, 0x5c) }
  keyStates.set(key, made)
  return made
}

function isSame(x: Uint8Array, y: Uint8Array): boolean {
  let difference = x.length ^ y.length
  for (let i = 0; i < x.length; i++) difference |= x[i]! ^ y[i]!
  return difference === 0
}

function keyBlock(key: Uint8Array, pad: number): Int32Array {
  const block = new Uint8Array(blockBytes).fill(pad)
  for (let i = 0; i < key.length; i++) block[i]! ^= key[i]!
  const words = initial.slice()
  compress(words, block, 0)
  return words
}

/** Goes on from the state after a key block, which it leaves as it is, to the digest of all that follows. */
function finish(from: Int32Array, message: Uint8Array, digest: Uint8Array): void {
  state.set(from)
  const { length } = message
  let at = 0
  for (; at + blockBytes <= length; at += blockBytes) compress(state, message, at)
  const rest = length - at
  const end = rest + 9 > blockBytes ? 2 * blockBytes : blockBytes
  tail.fill(0)
  for (let i = 0; i < rest; i++) tail[i] = message[at + i]!
  tail[rest] = 0x80
  writeUint32(tail, end - 4, (blockBytes + length) * 8)
  compress(state, tail, 0)
  if (end > blockBytes) compress(state, tail, blockBytes)
  for (let i = 0; i < 5; i++) writeUint32(digest, i * 4, state[i]!)
}

/** The compression function of SHA-1 (FIPS 180-4 §6.1.2) over the 64 bytes at `start`. */
function compress(words: Int32Array, block: Uint8Array, start: number): void {
  const w = schedule
  for (let t = 0; t < 16; t++) w[t] = readUint32(block, start + t * 4)
  for (let t = 16; t < 80; t++) {
    const x = w[t - 3]! ^ w[t - 8]! ^ w[t - 14]! ^ w[t - 16]!
    w[t] = (x << 1) | (x >>> 31)
  }
  let a = words[0]!
  let b = words[1]!
  let c = words[2]!
  let d = words[3]!
  let e = words[4]!
  let next: number
  for (let t = 0; t < 20; t++) {
    next = (((a << 5) | (a >>> 27)) + (d ^ (b & (c ^ d))) + e + w[t]! + 0x5a827999) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (let t = 20; t < 40; t++) {
    next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + w[t]! + 0x6ed9eba1) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (let t = 40; t < 60; t++) {
    next = (((a << 5) | (a >>> 27)) + ((b & c) | (d & (b | c))) + e + w[t]! + 0x8f1bbcdc) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  for (let t = 60; t < 80; t++) {
    next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + w[t]! + 0xca62c1d6) | 0
    e = d
    d = c
    c = (b << 30) | (b >>> 2)
    b = a
    a = next
  }
  words[0]! += a
  words[1]! += b
  words[2]! += c
  words[3]! += d
  words[4]! += e
}
