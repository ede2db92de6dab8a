/**
 * Which file descriptors a thread has open through the C library, in memory that the main thread reads when this one
 * has died: nobody else would close them. Listening sockets are kept for the thread that takes its place, for the
 * kernel spreads clients over the sockets of a port by their order: if one went, clients of the others would move.
 */

import { closeSync } from 'node:fs'

/** Limit: descriptors beyond are not remembered. The usual hard limit of Linux is 524,288. */
const mostDescriptors = 1 << 20

/** Limit: listening sockets beyond are not kept. */
const mostListeners = 256

const listenerBytes = mostListeners * Int32Array.BYTES_PER_ELEMENT

export function newDescriptorSet(): SharedArrayBuffer {
  return new SharedArrayBuffer(listenerBytes + mostDescriptors / 8)
}

export class DescriptorSet {
  /** Each one plus one, by the listener's number; 0 where there is none. */
  readonly #listeners: Int32Array
  readonly #bits: Uint8Array

  constructor(memory: SharedArrayBuffer) {
    this.#listeners = new Int32Array(memory, 0, mostListeners)
    this.#bits = new Uint8Array(memory, listenerBytes)
  }

  add(descriptor: number): void {
    if (descriptor < mostDescriptors) this.#bits[descriptor >> 3]! |= 1 << (descriptor & 7)
  }

  remove(descriptor: number): void {
    if (descriptor < mostDescriptors) this.#bits[descriptor >> 3]! &= ~(1 << (descriptor & 7))
    const listener = this.#listeners.indexOf(descriptor + 1)
    if (listener >= 0) this.#listeners[listener] = 0
  }

  /** The descriptor is a listening socket's: it outlives the thread. */
  keep(listener: number, descriptor: number): void {
    if (listener < mostListeners) this.#listeners[listener] = descriptor + 1
  }

  /** The socket that a thread before has left; undefined if there is none. */
  kept(listener: number): number | undefined {
    const value = this.#listeners[listener] ?? 0
    return value === 0 ? undefined : value - 1
  }

  all(): number[] {
    const found: number[] = []
    for (const [i, byte] of this.#bits.entries()) {
      for (let bit = 0; byte >> bit !== 0; bit++) if ((byte & (1 << bit)) !== 0) found.push(i * 8 + bit)
    }
    return found
  }

  /** Closes what a thread has left open that is no more, but for its listening sockets if another is to have them. */
  closeAll(keepsListeners: boolean): void {
    for (const descriptor of this.all()) {
      if (keepsListeners && this.#listeners.includes(descriptor + 1)) continue
      this.remove(descriptor)
      try {
        closeSync(descriptor)
      } catch {
        // The thread had closed it, and died before it could say so.
      }
    }
  }
}
