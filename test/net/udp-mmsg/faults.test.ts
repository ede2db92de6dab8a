/** What the driver's thread does where something of it does not work: it says so, and takes the next best thing. */

import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { socketId } from '../../../src/core/sans-io.ts'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { nodeClock } from '../../../src/net/node-host.ts'
import { errno } from '../../../src/net/udp-mmsg/abi.ts'
import type { Libc } from '../../../src/net/udp-mmsg/libc.ts'
import { MmsgDriver } from '../../../src/net/udp-mmsg/mmsg-driver.ts'
import { MmsgThread } from '../../../src/net/udp-mmsg/mmsg-thread.ts'
import { libcFor } from '../../support/libc.ts'

const libc = libcFor('the mmsg thread')

/** A C library in which some functions do other things; `failing` gives -1 and that errno. */
function broken(changes: (failing: (code: number) => () => number, real: Libc) => Partial<Libc>): Libc {
  if (typeof libc === 'string') throw new Error(libc)
  let code = 0
  const failing = (value: number) => () => {
    code = value
    return -1
  }
  const replaced = changes(failing, libc)
  return {
    ...libc,
    ...replaced,
    errno: () => {
      const value = code === 0 ? libc.errno() : code
      code = 0
      return value
    },
  }
}

function open(library: Libc): { via?: string; because: string | undefined } {
  const thread = MmsgThread.openWith(library, nodeClock, { reusePort: false })
  if (typeof thread === 'string') return { because: thread }
  const { via, because } = thread
  thread.stop()
  return { via, because }
}

const epoll = 'recvmmsg with UDP_SEGMENT and UDP_GRO'

describe.skipIf(typeof libc === 'string')('the mmsg thread', () => {
  it('takes the best there is, and has no reason to give', () => {
    const { via } = open(broken(() => ({})))
    expect(via).toMatch(/^(io_uring|recvmmsg) with UDP_SEGMENT and UDP_GRO$/)
  })

  it('does without io_uring where that is forbidden', () => {
    const library = broken((failing, real) => ({
      syscall: ((number: bigint, ...rest: bigint[]) =>
        number === 425n
          ? failing(1)()
          : (real.syscall as (...all: bigint[]) => number)(number, ...rest)) as never,
    }))
    expect(open(library)).toEqual({ via: epoll, because: 'io_uring_setup: EPERM' })
  })

  it('does without io_uring where its requests are refused', () => {
    const { via, because } = open(broken((failing) => ({ enterRing: failing(errno.EINVAL) as never })))
    expect(via).toBe(epoll)
    expect(because).toMatch(/^self-check of io_uring: /)
  })

  it('sends packets singly where the system cuts no messages', () => {
    const library = broken((failing, real) => ({
      ...withoutRing(failing),
      // A message with control data is one that asks for segmentation.
      sendmmsg: ((fd: number, pointer: bigint, count: number, flags: number) =>
        hasControl(real, pointer) ? failing(errno.EIO)() : real.sendmmsg(fd, pointer, count, flags)) as never,
    }))
    expect(open(library)).toMatchObject({ via: 'recvmmsg' })
  })

  const useless: [string, (failing: (code: number) => () => number, real: Libc) => Partial<Libc>, RegExp][] =
    [
      ['there is no memory', () => ({ mmap: (() => 2n ** 64n - 1n) as never }), /^mmap of \d+ bytes: /],
      [
        'there are no file descriptors',
        (failing) => ({ eventfd: failing(24) as never }),
        /^eventfd: EMFILE$/,
      ],
      [
        'there is no epoll',
        (failing) => ({ ...withoutRing(failing), epoll_create1: failing(24) as never }),
        /epoll_create1: EMFILE$/,
      ],
      [
        'sockets cannot be opened',
        (failing) => ({ socket: failing(24) as never }),
        /binding a socket: EMFILE/,
      ],
      [
        'what is received is not what was sent: a structure is laid out otherwise',
        (failing, real) => ({
          ...withoutRing(failing),
          recvmmsg: ((...args: Parameters<Libc['recvmmsg']>) => {
            const count = real.recvmmsg(...args)
            if (count > 0) new Uint8Array(real.view(args[1] as bigint, 64 * count)).copyWithin(56, 48, 52)
            return count
          }) as never,
        }),
        /^self-check of recvmmsg: /,
      ],
      [
        'nothing is received',
        (failing) => ({ ...withoutRing(failing), recvmmsg: failing(errno.EAGAIN) as never }),
        /^self-check of recvmmsg: 0 of 5 packets arrive$/,
      ],
    ]
  it.each(useless)('says why it is of no use when %s, and leaves nothing open', (_name, changes, reason) => {
    const before = descriptors()
    expect(open(broken(changes))).toEqual({ because: expect.stringMatching(reason) })
    expect(descriptors()).toBe(before)
  })

  it('leaves nothing open when it stops', () => {
    const before = descriptors()
    open(broken(() => ({})))
    expect(descriptors()).toBe(before)
  })
})

describe.skipIf(typeof libc === 'string')('the mmsg driver', () => {
  it.each([
    ['EAGAIN', errno.EAGAIN],
    ['ENOBUFS', errno.ENOBUFS],
  ] as const)('drops and counts what the system has no room for (%s), and sends on', (reason, code) => {
    let isFull = false
    const library = broken((failing, real) => ({
      ...withoutRing(failing),
      sendmsg: ((...args: Parameters<Libc['sendmsg']>) =>
        isFull ? failing(code)() : real.sendmsg(...args)) as never,
      sendmmsg: ((...args: Parameters<Libc['sendmmsg']>) =>
        isFull ? failing(code)() : real.sendmmsg(...args)) as never,
    }))
    const options = { reusePort: false, receiveBufferBytes: 65_536, sendBufferBytes: 65_536 }
    const driver = MmsgDriver.open(library, nodeClock, options)
    if (typeof driver === 'string') throw new Error(driver)
    const told: [string, number][] = []
    let local: TransportAddress | undefined
    driver.handlers = {
      bound: (_socket, address) => {
        local = address
      },
      bindFailed: (_socket, why) => {
        throw new Error(why)
      },
      datagram: () => {},
      icmp: () => {},
      sendFailed: (why, packets) => told.push([why, packets]),
    }
    const socket = socketId(0)
    driver.bind(socket, TransportAddress.of('127.0.0.1', 0))
    driver.run(0)
    isFull = true
    // Two of one length are a segmented message, and the third is another.
    for (const length of [100, 100, 50]) driver.transmit(socket, local!, new Uint8Array(length))
    driver.transmit(socket, TransportAddress.of('127.0.0.1', 9), new Uint8Array(10))
    driver.run(0)
    expect(told).toEqual([[reason, 4]])
    expect(driver.counters.sent).toBe(0)
    isFull = false
    driver.transmit(socket, local!, new Uint8Array(10))
    driver.run(0)
    expect(driver.counters.sent).toBe(1)
    expect(told).toHaveLength(1)
    driver.stop()
  })
})

function withoutRing(failing: (code: number) => () => number): Partial<Libc> {
  return { syscall: failing(38) as never }
}

function hasControl(real: Libc, message: bigint): boolean {
  return new Int32Array(real.view(message, 56))[10] !== 0
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}
