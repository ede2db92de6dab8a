/**
 * The two clocks of the cores, as brands, so that they cannot be mixed up.
 * A core never reads a clock: the time of every input arrives as its last argument.
 */

/** A point on a monotonic clock, in milliseconds. Only differences have a meaning. */
export type Instant = number & { readonly [instantBrand]: true }
declare const instantBrand: unique symbol

/** Wall-clock time in seconds since 1970, for what other machines have stamped. */
export type EpochSeconds = number & { readonly [epochBrand]: true }
declare const epochBrand: unique symbol

/** Brands a number of milliseconds as an Instant. For drivers and tests. */
export function instant(milliseconds: number): Instant {
  return milliseconds as Instant
}

/** The instant `milliseconds` after `start`. */
export function later(start: Instant, milliseconds: number): Instant {
  return (start + milliseconds) as Instant
}

/** The earlier one of two instants, where undefined stands for never. */
export function earliest(x: Instant | undefined, y: Instant | undefined): Instant | undefined {
  if (x === undefined || y === undefined) return x ?? y
  return x < y ? x : y
}
