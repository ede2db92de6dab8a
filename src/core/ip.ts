/**
 * IP addresses as text and as four signed 32-bit words, most significant first.
 * An IPv4 address is held as its IPv4-mapped form ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), so the two ways
 * to write one IPv4 host are one value here and no check can be passed by choosing the other.
 */

export interface IpWords {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

/** The same shape, to be written into: a driver keeps one and reuses it for every packet. */
export interface MutableIpWords {
  a: number
  b: number
  c: number
  d: number
}

/** The third word of every IPv4-mapped address. */
export const mappedPrefix = 0xffff

export function isIPv4(ip: IpWords): boolean {
  return ip.c === mappedPrefix && ip.a === 0 && ip.b === 0
}

export function isSameIp(x: IpWords, y: IpWords): boolean {
  return x.d === y.d && x.c === y.c && x.b === y.b && x.a === y.a
}

/** 127.0.0.0/8 and ::1. */
export function isLoopbackIp(ip: IpWords): boolean {
  return isIPv4(ip) ? ip.d >>> 24 === 127 : ip.a === 0 && ip.b === 0 && ip.c === 0 && ip.d === 1
}

/**
 * Orders addresses as 128-bit unsigned integers: negative, zero or positive.
 * Compared word by word from the most significant, never byte ranges on their own.
 */
export function compareIp(x: IpWords, y: IpWords): number {
  return (
    (x.a >>> 0) - (y.a >>> 0) ||
    (x.b >>> 0) - (y.b >>> 0) ||
    (x.c >>> 0) - (y.c >>> 0) ||
    (x.d >>> 0) - (y.d >>> 0)
  )
}

/**
 * Reads an address in text form into `target`. False, with `target` in an undefined state, if the text is
 * not exactly one IPv4 or IPv6 address; octets with leading zeros are refused, for they are octal to some
 * readers. A zone (`%eth0`) is accepted and ignored. Makes no object: it runs once per packet under dgram.
 */
export function readIp(text: string, target: MutableIpWords): boolean {
  return text.includes(':') ? readIPv6(text, target) : readIPv4(text, 0, text.length, target)
}

/** The canonical text form: dotted decimal, or RFC 5952 for IPv6. */
export function formatIp(ip: IpWords): string {
  if (isIPv4(ip)) return `${ip.d >>> 24}.${(ip.d >>> 16) & 255}.${(ip.d >>> 8) & 255}.${ip.d & 255}`
  const groups = [ip.a, ip.b, ip.c, ip.d].flatMap((word) => [word >>> 16, word & 0xffff])
  const run = longestZeroRun(groups)
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':')
  if (run.length < 2) return text(groups)
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`
}

function readIPv4(text: string, start: number, end: number, target: MutableIpWords): boolean {
  let word = 0
  let octet = 0
  let digits = 0
  let octets = 0
  for (let i = start; i <= end; i++) {
    const char = i < end ? text.charCodeAt(i) : 0x2e
    if (char === 0x2e) {
      if (digits === 0 || octet > 255 || octets === 4) return false
      word = (word << 8) | octet
      octets++
      octet = 0
      digits = 0
    } else if (char >= 0x30 && char <= 0x39) {
      if (digits > 0 && octet === 0) return false
      octet = octet * 10 + char - 0x30
      if (++digits > 3) return false
    } else return false
  }
  if (octets !== 4) return false
  target.a = 0
  target.b = 0
  target.c = mappedPrefix
  target.d = word
  return true
}

const groups = new Uint16Array(8)

function readIPv6(text: string, target: MutableIpWords): boolean {
  let end = text.indexOf('%')
  if (end === 0 || end === text.length - 1) return false
  if (end < 0) end = text.length
  groups.fill(0)
  let count = 0
  let gap = -1
  let at = 0
  if (text.startsWith('::')) {
    gap = 0
    at = 2
  }
  while (at < end) {
    let stop = text.indexOf(':', at)
    if (stop < 0 || stop > end) stop = end
    if (stop === end && text.indexOf('.', at) >= 0) {
      if (count > 6 || !readIPv4(text, at, end, target)) return false
      groups[count++] = target.d >>> 16
      groups[count++] = target.d & 0xffff
      break
    }
    const group = readHexGroup(text, at, stop)
    if (group < 0 || count === 8) return false
    groups[count++] = group
    if (stop === end) break
    at = stop + 1
    if (at === end) return false
    if (text.charCodeAt(at) === 0x3a) {
      if (gap >= 0) return false
      gap = count
      at++
    }
  }
  if (gap < 0 ? count !== 8 : count > 7) return false
  if (gap >= 0) {
    groups.copyWithin(8 - (count - gap), gap, count)
    groups.fill(0, gap, 8 - (count - gap))
  }
  target.a = (groups[0]! << 16) | groups[1]!
  target.b = (groups[2]! << 16) | groups[3]!
  target.c = (groups[4]! << 16) | groups[5]!
  target.d = (groups[6]! << 16) | groups[7]!
  return true
}

function readHexGroup(text: string, start: number, end: number): number {
  if (end === start || end - start > 4) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    const char = text.charCodeAt(i)
    const lower = char | 0x20
    if (char >= 0x30 && char <= 0x39) value = (value << 4) | (char - 0x30)
    else if (lower >= 0x61 && lower <= 0x66) value = (value << 4) | (lower - 0x57)
    else return -1
  }
  return value
}

function longestZeroRun(values: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < values.length; start++) {
    let length = 0
    while (values[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best
}
