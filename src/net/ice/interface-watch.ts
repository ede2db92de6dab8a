/**
 * Notices when a host's addresses change. Node tells of no such thing, so the list is looked at every two seconds: once
 * for all sessions on a host, for the list costs a system call or three (65 µs with two interfaces).
 */

import type { Clock, Host } from '../../core/host.ts'
import { later } from '../../core/time.ts'

/** Limit: half of what it takes until a selected pair that is silent is asked again. */
const periodMs = 2000

const watches = new WeakMap<Host, InterfaceWatch>()

/** Calls back after the addresses of the host have changed. The returned function ends that. */
export function watchInterfaces(host: Host, changed: () => void): () => void {
  let watch = watches.get(host)
  if (watch === undefined) {
    watch = new InterfaceWatch(host)
    watches.set(host, watch)
  }
  return watch.add(changed)
}

class InterfaceWatch {
  readonly #host: Host
  readonly #clock: Clock
  readonly #watchers = new Set<() => void>()
  #addresses = ''
  #cancel: () => void = () => {}

  constructor(host: Host) {
    this.#host = host
    this.#clock = host.clock
  }

  add(changed: () => void): () => void {
    const watcher = () => changed()
    if (this.#watchers.size === 0) {
      this.#addresses = this.#look()
      this.#arm()
    }
    this.#watchers.add(watcher)
    return () => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size === 0) this.#cancel()
    }
  }

  #arm(): void {
    this.#cancel = this.#clock.schedule(later(this.#clock.now(), periodMs), () => {
      this.#arm()
      const addresses = this.#look()
      if (addresses === this.#addresses) return
      this.#addresses = addresses
      for (const changed of [...this.#watchers]) changed()
    })
  }

  #look(): string {
    return this.#host
      .interfaces()
      .map(({ name, address }) => `${name} ${address.ip}`)
      .join()
  }
}
