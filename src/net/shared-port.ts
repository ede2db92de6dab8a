/**
 * One TCP port for a listener and for connections that are made from it, as RFC 6062 §5.2 wants of a relayed transport
 * address. Linux allows it among sockets that all have SO_REUSEPORT; Node sets that on listeners only, and before they
 * are bound, where it would let another program join in. So both are made here by system calls (node:ffi), and the
 * listener's option is set after it is bound: until then the port is taken or free like any other.
 */

import { getSystemErrorName } from 'node:util'
import { isIPv4 } from '../core/ip.ts'
import type { TransportAddress } from '../core/transport-address.ts'
import { writeUint16, writeUint32 } from '../stun/bytes.ts'
import { withoutWarnings } from './without-warnings.ts'

/** A bound TCP socket, as a file descriptor that the caller owns; or the system's code. */
export function bindForListener(address: TransportAddress): number | string {
  return open(address, (functions, fd) => {
    return (
      allow(functions, fd, reuseAddress) || bind(functions, fd, address) || allow(functions, fd, reusePort)
    )
  })
}

/** As `bindForListener`, for a socket that connects from the address that such a listener has. */
export function bindBesideListener(address: TransportAddress): number | string {
  return open(address, (functions, fd) => {
    return (
      allow(functions, fd, reuseAddress) || allow(functions, fd, reusePort) || bind(functions, fd, address)
    )
  })
}

/** Whether this system and this Node.js can do it: Linux, with node:ffi (26 and later). */
export function canSharePorts(): boolean {
  return libc() !== undefined
}

/** As Linux has them on x64 and arm64. */
const internet = { IPv4: 2, IPv6: 10 } as const
const streamNonblockingCloexec = 1 | 0o4000 | 0o2000000
const levelSocket = 1
const levelIPv6 = 41
const reuseAddress = 2
const reusePort = 15
const onlyIPv6 = 26

const signatures = {
  socket: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'buffer', 'u32'] },
  bind: { return: 'i32', arguments: ['i32', 'buffer', 'u32'] },
  close: { return: 'i32', arguments: ['i32'] },
  __errno_location: { return: 'pointer', arguments: [] },
} as const

interface Libc {
  socket(domain: number, type: number, protocol: number): number
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number
  bind(fd: number, address: Uint8Array, length: number): number
  close(fd: number): number
  errno(): number
}

let loaded: Libc | 'missing' | undefined

function libc(): Libc | undefined {
  loaded ??= load() ?? 'missing'
  return loaded === 'missing' ? undefined : loaded
}

function load(): Libc | undefined {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return undefined
  const ffi = withoutWarnings(() => process.getBuiltinModule?.('node:ffi'))
  if (ffi === undefined) return undefined
  try {
    const { functions } = ffi.dlopen(null, signatures)
    return Object.assign(functions, { errno: () => ffi.getInt32(functions.__errno_location(), 0) })
  } catch {
    // A libc without these symbols under these names: the feature is not there.
    return undefined
  }
}

function open(address: TransportAddress, prepare: (functions: Libc, fd: number) => number): number | string {
  const functions = libc()
  if (functions === undefined) return 'ENOTSUP'
  const fd = functions.socket(internet[address.family], streamNonblockingCloexec, 0)
  if (fd < 0) return codeOf(functions)
  if (address.family === 'IPv6') functions.setsockopt(fd, levelIPv6, onlyIPv6, one, one.length)
  if (prepare(functions, fd) === 0) return fd
  const code = codeOf(functions)
  functions.close(fd)
  return code
}

function allow(functions: Libc, fd: number, option: number): number {
  return functions.setsockopt(fd, levelSocket, option, one, one.length)
}

function bind(functions: Libc, fd: number, address: TransportAddress): number {
  const name = socketName(address)
  return functions.bind(fd, name, name.length)
}

/** struct sockaddr_in or sockaddr_in6; the family is in the machine's own byte order, which is little-endian on both. */
function socketName(address: TransportAddress): Uint8Array {
  const name = new Uint8Array(isIPv4(address) ? 16 : 28)
  name[0] = internet[address.family]
  writeUint16(name, 2, address.port)
  if (isIPv4(address)) writeUint32(name, 4, address.d)
  else {
    writeUint32(name, 8, address.a)
    writeUint32(name, 12, address.b)
    writeUint32(name, 16, address.c)
    writeUint32(name, 20, address.d)
  }
  return name
}

const one = Uint8Array.of(1, 0, 0, 0)

function codeOf(functions: Libc): string {
  return getSystemErrorName(-functions.errno())
}
