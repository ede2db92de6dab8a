/** What the running kernel makes of the driver's structures and constants, one by one. */

import { readFileSync, readlinkSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { constants as c, epollEvents, extendedError, mmsghdr, msghdr } from '../../../src/net/udp-mmsg/abi.ts'
import { descriptorFlags, descriptorInfo, KernelLab } from '../../support/kernel-lab.ts'
import { libcFor } from '../../support/libc.ts'
import { hasLoopback6 } from '../../support/programs.ts'

const libc = libcFor('the kernel and our structures')
const hasIPv6 = hasLoopback6('the kernel and IPv6')
const octets = (length: number) => Uint8Array.from({ length }, (_, i) => i)

describe.skipIf(typeof libc === 'string')('the kernel', () => {
  let lab: KernelLab

  beforeEach(() => {
    if (typeof libc === 'string') throw new Error(libc)
    lab = new KernelLab(libc)
  })

  afterEach(() => lab.close())

  const families = [
    { family: 'IPv4' as const, table: '/proc/net/udp' },
    { family: 'IPv6' as const, table: '/proc/net/udp6' },
  ].filter(({ family }) => family === 'IPv4' || hasIPv6)

  it.each(families)('has a datagram socket of $family where it says that it is', ({ family, table }) => {
    const { fd, address } = lab.socket(family)
    const inode = /\d+/.exec(readlinkSync(`/proc/self/fd/${fd}`))![0]
    const line = readFileSync(table, 'utf8')
      .split('\n')
      .find((each) => each.includes(` ${inode} `))
    const port = address.port.toString(16).toUpperCase().padStart(4, '0')
    expect(line).toMatch(new RegExp(`^ *\\d+: [0-9A-F]+:${port} `))
    expect(address.ip).toBe(family === 'IPv4' ? '127.0.0.1' : '::1')
  })

  it('opens sockets that do not block, and are not for other programs', () => {
    const fd = lab.keep(lab.libc.socket(c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, 0))
    expect(descriptorFlags(fd) & 0o2004000).toBe(0o2004000)
    expect(lab.receive(fd, 0)).toBe('EAGAIN')
  })

  it.each(families)('carries names, payload and traffic class in a msghdr ($family)', ({ family }) => {
    const [from, to] = [lab.socket(family), lab.socket(family)]
    const [level, ask, type] =
      family === 'IPv4'
        ? [c.IPPROTO_IP, c.IP_RECVTOS, c.IP_TOS]
        : [c.IPPROTO_IPV6, c.IPV6_RECVTCLASS, c.IPV6_TCLASS]
    const control = { level, type, size: 4, value: 0xb9 } as const
    lab.send(from.fd, to.address, octets(300), control)
    expect(lab.mustReceive(to.fd)).toEqual({
      ...{ from: `${from.address}`, bytes: octets(300), flags: 0, control: [] },
    })
    lab.set(to.fd, level, ask, 1)
    lab.send(from.fd, to.address, octets(300), control)
    const [item] = lab.mustReceive(to.fd).control
    expect(item).toMatchObject({ level, type })
    expect(item?.data[0]).toBe(0xb9)
  })

  it('says that a payload was cut', () => {
    const [from, to] = [lab.socket(), lab.socket()]
    lab.send(from.fd, to.address, octets(10))
    expect(lab.mustReceive(to.fd, c.MSG_DONTWAIT, 4)).toMatchObject({ bytes: octets(4), flags: c.MSG_TRUNC })
    // A socket that blocks does not with this flag.
    expect(lab.receive(to.fd, c.MSG_DONTWAIT)).toBe('EAGAIN')
  })

  it('cuts a message into segments, and hands them in as one where that is asked for', () => {
    const [from, to] = [lab.socket(), lab.socket()]
    const control = { level: c.SOL_UDP, type: c.UDP_SEGMENT, size: 2, value: 100 } as const
    expect(lab.send(from.fd, to.address, octets(250), control)).toBeUndefined()
    expect([100, 100, 50].map(() => lab.mustReceive(to.fd).bytes.length)).toEqual([100, 100, 50])
    expect(lab.set(to.fd, c.SOL_UDP, c.UDP_GRO, 1)).toBeUndefined()
    lab.send(from.fd, to.address, octets(250), control)
    const whole = lab.mustReceive(to.fd)
    expect(whole.bytes.length).toBe(250)
    expect(whole.control).toMatchObject([{ level: c.SOL_UDP, type: c.UDP_GRO }])
    expect(new Uint16Array(whole.control[0]!.data.buffer, 0, 1)[0]).toBe(100)
  })

  it('fills an array of mmsghdr', () => {
    const [from, to] = [lab.socket(), lab.socket()]
    const array = lab.arena.take(3 * mmsghdr.size)
    lab.send(from.fd, to.address, octets(7))
    lab.send(from.fd, to.address, octets(8))
    const count = lab.libc.recvmmsg(to.fd, lab.arena.pointer(array), 3, c.MSG_DONTWAIT, 0n)
    expect(count).toBe(2)
    // Without a place to go the payloads are lost; all of both was too long.
    const flags = [0, 1].map((i) => lab.arena.words[(array + i * mmsghdr.size + msghdr.flags) >> 2])
    expect(flags).toEqual([c.MSG_TRUNC, c.MSG_TRUNC])
    const lengths = [0, 1, 2].map((i) => lab.arena.words[(array + i * mmsghdr.size + mmsghdr.length) >> 2])
    expect(lengths).toEqual([0, 0, 0])
  })

  const unreachable = [
    { family: 'IPv4' as const, level: c.IPPROTO_IP, option: c.IP_RECVERR, says: [c.SO_EE_ORIGIN_ICMP, 3, 3] },
    {
      family: 'IPv6' as const,
      level: c.IPPROTO_IPV6,
      option: c.IPV6_RECVERR,
      says: [c.SO_EE_ORIGIN_ICMP6, 1, 4],
    },
  ].filter(({ family }) => family === 'IPv4' || hasIPv6)
  it.each(unreachable)(
    'keeps ICMP errors in the error queue ($family)',
    ({ family, level, option, says }) => {
      const { fd } = lab.socket(family)
      const gone = lab.socket(family)
      lab.libc.close(gone.fd)
      expect(lab.set(fd, level, option, 1)).toBeUndefined()
      lab.send(fd, gone.address, octets(9))
      const error = lab.mustReceive(fd, c.MSG_ERRQUEUE | c.MSG_DONTWAIT)
      expect(error).toMatchObject({ from: `${gone.address}`, control: [{ level, type: option }] })
      const { data } = error.control[0]!
      expect(new Int32Array(data.buffer, extendedError.errno, 1)[0]).toBe(111)
      const { origin, type, code } = extendedError
      expect([data[origin], data[type], data[code]]).toEqual(says)
    },
  )

  it.skipIf(!hasIPv6)(
    'refuses what is longer than the link when it is not to be cut, and tells how long that may be',
    () => {
      // By IPv4 no datagram is longer than the MTU of loopback; by IPv6 the longest is.
      const { fd } = lab.socket('IPv6')
      const to = lab.socket('IPv6')
      const longest = new Uint8Array(65_527)
      lab.set(fd, c.IPPROTO_IPV6, c.IPV6_RECVERR, 1)
      lab.set(fd, c.IPPROTO_IPV6, c.IPV6_MTU_DISCOVER, c.IP_PMTUDISC_DO)
      expect(lab.send(fd, to.address, longest)).toBe('EMSGSIZE')
      const { data } = lab.mustReceive(fd, c.MSG_ERRQUEUE | c.MSG_DONTWAIT).control[0]!
      expect(data[extendedError.origin]).toBe(c.SO_EE_ORIGIN_LOCAL)
      expect(new Int32Array(data.buffer, extendedError.info, 1)[0]).toBe(65_536)
      lab.set(fd, c.IPPROTO_IPV6, c.IPV6_MTU_DISCOVER, c.IP_PMTUDISC_DONT)
      expect(lab.send(fd, to.address, longest)).toBeUndefined()
    },
  )

  it.skipIf(!hasIPv6)('lets sockets of IPv6 leave the port of IPv4 to others', () => {
    const fd = lab.keep(lab.libc.socket(c.AF_INET6, c.SOCK_DGRAM, 0))
    expect(lab.set(fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 1)).toBeUndefined()
    expect(lab.bind(fd, TransportAddress.of('::', 0))).toBeUndefined()
    const { port } = lab.nameOf(fd)
    const other = lab.keep(lab.libc.socket(c.AF_INET6, c.SOCK_DGRAM, 0))
    lab.set(other, c.IPPROTO_IPV6, c.IPV6_V6ONLY, 0)
    const ipv4 = lab.keep(lab.libc.socket(c.AF_INET, c.SOCK_DGRAM, 0))
    expect(lab.bind(ipv4, TransportAddress.of('127.0.0.1', port))).toBeUndefined()
    expect(lab.bind(other, TransportAddress.of('::', lab.nameOf(ipv4).port))).toBe('EADDRINUSE')
  })

  it('lets sockets share a port', () => {
    const sockets = [0, 1, 2].map(() => lab.keep(lab.libc.socket(c.AF_INET, c.SOCK_DGRAM, 0)))
    const [first, second, third] = sockets as [number, number, number]
    for (const fd of [first, second]) lab.set(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)
    lab.bind(first, TransportAddress.of('127.0.0.1', 0))
    const address = lab.nameOf(first)
    expect([lab.bind(second, address), lab.bind(third, address)]).toEqual([undefined, 'EADDRINUSE'])
  })

  it('gives buffers, twice what was asked for, and to root more than others may have', () => {
    const { fd } = lab.socket()
    for (const [plain, force, limit] of [
      [c.SO_RCVBUF, c.SO_RCVBUFFORCE, 'rmem_max'],
      [c.SO_SNDBUF, c.SO_SNDBUFFORCE, 'wmem_max'],
    ] as const) {
      lab.set(fd, c.SOL_SOCKET, plain, 50_000)
      expect(lab.get(fd, c.SOL_SOCKET, plain)).toBe(100_000)
      const most = Number(readFileSync(`/proc/sys/net/core/${limit}`, 'utf8'))
      const refusal = lab.set(fd, c.SOL_SOCKET, force, most + 4096)
      const expected = refusal === undefined ? 2 * (most + 4096) : 100_000
      expect([refusal ?? 'EPERM', lab.get(fd, c.SOL_SOCKET, plain)]).toEqual(['EPERM', expected])
    }
  })

  it('has the events and the 64 bits of data that epoll was given, and gives them back', () => {
    const layout = process.arch === 'arm64' ? epollEvents.arm64 : epollEvents.x64
    const epoll = lab.keep(lab.libc.epoll_create1(c.EPOLL_CLOEXEC))
    expect(descriptorFlags(epoll) & 0o2000000).toBe(0o2000000)
    const { fd, address } = lab.socket()
    lab.set(fd, c.IPPROTO_IP, c.IP_RECVERR, 1)
    const { arena } = lab
    const interest = arena.take(2 * layout.size)
    arena.words[(interest + layout.events) >> 2] = c.EPOLLIN
    arena.words[(interest + layout.data) >> 2] = 0x55667788
    arena.words[(interest + layout.data + 4) >> 2] = 0x11223344
    expect(lab.libc.epoll_ctl(epoll, c.EPOLL_CTL_ADD, fd, arena.pointer(interest))).toBe(0)
    // EPOLLERR and EPOLLHUP are always told of.
    expect(descriptorInfo(epoll)).toMatch(new RegExp(`tfd: +${fd} events: +19 data: +1122334455667788 `))
    const wait = () => lab.libc.epoll_wait(epoll, arena.pointer(interest), 2, 0)
    expect(wait()).toBe(0)
    lab.send(fd, address, octets(1))
    expect(wait()).toBe(1)
    const word = (at: number) => arena.words[(interest + at) >> 2]
    expect([word(layout.events), word(layout.data), word(layout.data + 4)]).toEqual([
      ...[c.EPOLLIN, 0x55667788, 0x11223344],
    ])
    const gone = lab.socket()
    lab.libc.close(gone.fd)
    lab.mustReceive(fd)
    lab.send(fd, gone.address, octets(1))
    expect([wait(), word(layout.events)]).toEqual([1, c.EPOLLERR])
  })

  it('has an eventfd that does not block', () => {
    const fd = lab.keep(lab.libc.eventfd(5, c.EFD_NONBLOCK | c.EFD_CLOEXEC))
    expect(descriptorFlags(fd) & 0o2004000).toBe(0o2004000)
    const at = lab.arena.take(8, 8)
    expect(lab.libc.eventfd_read(fd, lab.arena.pointer(at))).toBe(0)
    expect(lab.arena.words[at >> 2]).toBe(5)
    expect([lab.libc.eventfd_read(fd, lab.arena.pointer(at)), lab.reason]).toEqual([-1, 'EAGAIN'])
  })

  it('maps memory as it was asked for', () => {
    const size = 1 << 20
    const map = (flags: number) => {
      const base = lab.libc.mmap(
        0n,
        BigInt(size),
        c.PROT_READ | c.PROT_WRITE,
        flags | c.MAP_ANONYMOUS,
        -1,
        0n,
      )
      const entry = mappingAt(base)
      lab.libc.munmap(base, BigInt(size))
      return entry
    }
    expect(map(c.MAP_PRIVATE | c.MAP_NORESERVE)).toMatchObject({ access: 'rw-p', isReserved: false })
    expect(map(c.MAP_SHARED | c.MAP_POPULATE)).toMatchObject({ access: 'rw-s', isReserved: true, kB: 1024 })
  })
})

/** Of the mapping that holds an address: access, and whether and how much memory is behind it. */
function mappingAt(base: bigint): { access: string; isReserved: boolean; kB: number } | undefined {
  const entries = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  for (const entry of entries) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(entry)
    if (head === null || BigInt(`0x${head[1]}`) > base || BigInt(`0x${head[2]}`) <= base) continue
    const flags = /^VmFlags: (.*)$/m.exec(entry)?.[1] ?? ''
    const kB = Number(/^Rss: +(\d+) kB$/m.exec(entry)?.[1])
    return { access: head[3]!, isReserved: !flags.split(' ').includes('nr'), kB }
  }
  return undefined
}
