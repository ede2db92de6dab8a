/** What the running kernel makes of the structures and constants of io_uring, one by one. */

import { readlinkSync } from 'node:fs'
import { release } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { constants as c, errno, iovec, msghdr, timespec } from '../../../src/net/udp-mmsg/abi.ts'
import { Ring } from '../../../src/net/udp-mmsg/ring.ts'
import {
  bufferRegistration,
  completion,
  ringConstants as r,
  receiveHeader,
  ringBuffer,
  ringParameters,
  submission,
  waitArgument,
} from '../../../src/net/udp-mmsg/ring-abi.ts'
import { KernelLab } from '../../support/kernel-lab.ts'
import { libcFor } from '../../support/libc.ts'

const libc = libcFor('io_uring against the kernel')

/** Does nothing, and succeeds; not one of the driver's. */
const noOperation = 0

interface Request {
  readonly opcode: number
  readonly flags?: number
  readonly ioPriority?: number
  readonly fd?: number
  /** An offset of the arena. */
  readonly address?: number
  readonly length?: number
  readonly operationFlags?: number
  readonly bufferGroup?: number
  readonly user: readonly [low: number, high: number]
}

interface Result {
  readonly user: readonly [low: number, high: number]
  readonly result: number
  readonly flags: number
}

/** Why there is no ring here, as the driver says it. */
function missingRing(): string | undefined {
  if (typeof libc === 'string') return libc
  const lab = new KernelLab(libc)
  try {
    const ring = Ring.open(libc, lab.arena)
    if (typeof ring === 'string') return ring
    ring.close()
    return undefined
  } finally {
    lab.close()
  }
}

const missing = missingRing()
if (missing !== undefined) console.warn(`\n*** SKIPPED: io_uring against the kernel. ${missing}\n`)

describe.skipIf(missing !== undefined)('an io_uring', () => {
  let lab: KernelLab
  let ring: Ring

  beforeEach(() => {
    if (typeof libc === 'string') throw new Error(libc)
    lab = new KernelLab(libc)
    const opened = Ring.open(libc, lab.arena)
    if (typeof opened === 'string') throw new Error(opened)
    ring = opened
  })

  afterEach(() => {
    ring.close()
    lab.close()
  })

  function write(request: Request): void {
    const { opcode, flags = 0, ioPriority = 0, fd = -1, address, user } = request
    const at = ring.next()
    const words = ring.requests
    words.fill(0, at, at + submission.size / 4)
    const bytes = new Uint8Array(words.buffer, at * 4, submission.size)
    bytes[submission.opcode] = opcode
    bytes[submission.flags] = flags
    bytes[submission.ioPriority] = ioPriority
    words[at + submission.fd / 4] = fd
    if (address !== undefined) {
      words[at + submission.address / 4] = lab.arena.low(address)
      words[at + submission.address / 4 + 1] = lab.arena.high
    }
    words[at + submission.length / 4] = request.length ?? 0
    words[at + submission.operationFlags / 4] = request.operationFlags ?? 0
    words[at + submission.userData / 4] = user[0]
    words[at + submission.userData / 4 + 1] = user[1]
    words[at + submission.bufferGroup / 4] = request.bufferGroup ?? 0
  }

  /** Carries over what is written, and gives the results that there are then. */
  function results(): Result[] {
    ring.enter(0, 0, 0)
    const found: Result[] = []
    while (ring.available > 0) {
      const at = ring.take()
      const words = ring.results
      const user = at + completion.userData / 4
      found.push({
        user: [words[user]!, words[user + 1]!],
        result: words[at + completion.result / 4]!,
        flags: words[at + completion.flags / 4]!,
      })
    }
    ring.release()
    return found
  }

  it('brings back what a request was marked with', () => {
    write({ opcode: noOperation, user: [0x12345678, 0x0abcdef0] })
    write({ opcode: noOperation, user: [2, 3] })
    expect(results()).toEqual([
      { user: [0x12345678, 0x0abcdef0], result: 0, flags: 0 },
      { user: [2, 3], result: 0, flags: 0 },
    ])
  })

  it('says nothing of a success where that is asked for, but tells of failures', () => {
    write({ opcode: noOperation, flags: r.IOSQE_CQE_SKIP_SUCCESS, user: [1, 0] })
    write({ opcode: r.IORING_OP_CLOSE, flags: r.IOSQE_CQE_SKIP_SUCCESS, fd: 9_999, user: [2, 0] })
    expect(results()).toEqual([{ user: [2, 0], result: -9, flags: 0 }])
  })

  it('waits for as long as it is to when nothing comes', () => {
    const start = performance.now()
    ring.enter(30, 1, 0)
    expect(performance.now() - start).toBeGreaterThanOrEqual(29)
    ring.enter(1000, 1, 0)
    expect(performance.now() - start).toBeGreaterThanOrEqual(1029)
    expect(results()).toEqual([])
  })

  it('polls again and again where that is asked for, until it is cancelled', () => {
    const fd = lab.keep(lab.libc.eventfd(0, c.EFD_NONBLOCK))
    const poll = { opcode: r.IORING_OP_POLL_ADD, fd, operationFlags: c.EPOLLIN }
    write({ ...poll, length: r.IORING_POLL_ADD_MULTI, user: [1, 0] })
    write({ ...poll, user: [2, 0] })
    expect(results()).toEqual([])
    const wake = lab.arena.take(8, 8)
    lab.arena.words[wake >> 2] = 1
    for (const _ of [1, 2]) {
      // A write by the ring itself: IORING_OP_WRITE.
      write({ opcode: 23, fd, address: wake, length: 8, flags: r.IOSQE_CQE_SKIP_SUCCESS, user: [9, 0] })
      const told = results()
      expect(told).toContainEqual({ user: [1, 0], result: c.EPOLLIN, flags: r.IORING_CQE_F_MORE })
      lab.libc.eventfd_read(fd, lab.arena.pointer(wake))
    }
    write({ ...poll, user: [3, 0] })
    expect(results()).toEqual([])
    const operationFlags = r.IORING_ASYNC_CANCEL_ALL | r.IORING_ASYNC_CANCEL_FD
    write({ opcode: r.IORING_OP_ASYNC_CANCEL, fd, operationFlags, user: [4, 0] })
    const ended = results()
    expect(ended).toContainEqual({ user: [4, 0], result: 2, flags: 0 })
    for (const user of [1, 3])
      expect(ended).toContainEqual({ user: [user, 0], result: -errno.ECANCELED, flags: 0 })
  })

  it('closes a socket, and its port is free when the call has returned', () => {
    const { fd, address } = lab.socket()
    const template = lab.arena.take(msghdr.size)
    registerBuffers(4, 4096)
    write({ ...receiving(fd, template), user: [1, 0] })
    results()
    const operationFlags = r.IORING_ASYNC_CANCEL_ALL | r.IORING_ASYNC_CANCEL_FD
    write({ opcode: r.IORING_OP_ASYNC_CANCEL, fd, operationFlags, user: [2, 0] })
    write({ opcode: r.IORING_OP_CLOSE, fd, user: [3, 0] })
    expect(results()).toContainEqual({ user: [3, 0], result: 0, flags: 0 })
    expect(lab.socket('IPv4', address.port).address.port).toBe(address.port)
  })

  it('sends a msghdr', () => {
    const to = lab.socket()
    const { fd } = lab.socket()
    const message = lab.arena.take(msghdr.size)
    const iov = lab.arena.take(iovec.size)
    const payload = lab.arena.take(16)
    lab.arena.bytes.set([7, 8, 9], payload)
    lab.arena.setPointer(iov, payload)
    lab.arena.words[(iov + iovec.length) >> 2] = 3
    lab.writeName(message, to.address)
    lab.arena.setPointer(message + msghdr.iov, iov)
    lab.arena.words[(message + msghdr.iovLength) >> 2] = 1
    const operationFlags = c.MSG_DONTWAIT | c.MSG_NOSIGNAL
    write({ opcode: r.IORING_OP_SENDMSG, fd, address: message, length: 1, operationFlags, user: [1, 0] })
    expect(results()).toEqual([{ user: [1, 0], result: 3, flags: 0 }])
    expect(lab.mustReceive(to.fd).bytes).toEqual(Uint8Array.of(7, 8, 9))
  })

  it('receives again and again into buffers that it chooses, header, name and payload in each', () => {
    const [to, from] = [lab.socket(), lab.socket()]
    const template = lab.arena.take(msghdr.size)
    lab.arena.words[(template + msghdr.nameLength) >> 2] = 16
    const buffers = registerBuffers(4, 256)
    expect(results()).toEqual([])
    write({ ...receiving(to.fd, template), user: [5, 0] })
    results()
    lab.send(from.fd, to.address, Uint8Array.of(1, 2, 3))
    lab.send(from.fd, to.address, new Uint8Array(400))
    const told = results()
    expect(told.map(({ user, result }) => [user[0], result])).toEqual([
      [5, receiveHeader.size + 16 + 3],
      [5, 256],
    ])
    const flags = r.IORING_CQE_F_BUFFER | r.IORING_CQE_F_MORE
    expect(told.map((each) => each.flags & 0xffff)).toEqual([flags, flags])
    const [first, second] = told.map((each) => buffers(each.flags >>> r.IORING_CQE_BUFFER_SHIFT))
    const word = (at: number) => lab.arena.words[at >> 2]
    const { nameLength, controlLength, payloadLength } = receiveHeader
    expect([nameLength, controlLength, payloadLength].map((at) => word(first! + at))).toEqual([16, 0, 3])
    expect(word(first! + receiveHeader.flags)).toBe(0)
    const payload = first! + receiveHeader.size + 16
    expect(lab.arena.bytes.slice(payload, payload + 3)).toEqual(Uint8Array.of(1, 2, 3))
    expect(word(second! + receiveHeader.flags)! & c.MSG_TRUNC).toBe(c.MSG_TRUNC)
  })

  it('has a ring of buffers once for each group, and none of no size', () => {
    registerBuffers(4, 64)
    expect(register(4, 0)).toBe('EEXIST')
    expect(register(0, 1)).toBe('EINVAL')
    expect(register(3, 2)).toBe('EINVAL')
    expect(register(8, 3)).toBeUndefined()
  })

  function receiving(fd: number, template: number): Omit<Request, 'user'> {
    return {
      opcode: r.IORING_OP_RECVMSG,
      flags: r.IOSQE_BUFFER_SELECT,
      ioPriority: r.IORING_RECV_MULTISHOT,
      ...{ fd, address: template, length: 1 },
    }
  }

  function register(entries: number, group: number, memory = lab.arena.take(4096, 4096)): string | undefined {
    const at = lab.arena.take(bufferRegistration.size)
    lab.arena.setPointer(at + bufferRegistration.address, memory)
    lab.arena.words[(at + bufferRegistration.entries) >> 2] = entries
    lab.arena.words[(at + bufferRegistration.group) >> 2] = group
    return ring.register(r.IORING_REGISTER_PBUF_RING, lab.arena.pointer(at), 1)
  }

  /** So many buffers of that length in group 0; gives where each lies. */
  function registerBuffers(count: number, length: number): (id: number) => number {
    const list = lab.arena.take(4096, 4096)
    expect(register(count, 0, list)).toBeUndefined()
    const memory = lab.arena.take(count * length)
    const short = new Uint16Array(lab.arena.bytes.buffer)
    for (let id = 0; id < count; id++) {
      const at = list + id * ringBuffer.size
      lab.arena.setPointer(at + ringBuffer.address, memory + id * length)
      lab.arena.words[(at + ringBuffer.length) >> 2] = length
      short[(at + ringBuffer.id) >> 1] = id
    }
    short[(list + ringBuffer.tail) >> 1] = count
    return (id) => memory + id * length
  }
})

describe.skipIf(missing !== undefined)('io_uring_setup', () => {
  let lab: KernelLab

  beforeEach(() => {
    if (typeof libc === 'string') throw new Error(libc)
    lab = new KernelLab(libc)
  })

  afterEach(() => lab.close())

  function setup(entries: number, flags: number, completionEntries = 0) {
    const at = lab.arena.take(ringParameters.size)
    lab.arena.words[(at + ringParameters.flags) >> 2] = flags
    lab.arena.words[(at + ringParameters.completionEntries) >> 2] = completionEntries
    const fd = lab.libc.syscall(
      ...([r.SYS_io_uring_setup, BigInt(entries), lab.arena.pointer(at), 0n, 0n, 0n, 0n] as const),
    )
    if (fd < 0) return lab.reason
    lab.keep(fd)
    const word = (offset: number) => lab.arena.words[(at + offset) >> 2]!
    return {
      fd,
      word,
      entries: [word(ringParameters.submissionEntries), word(ringParameters.completionEntries)],
      features: word(ringParameters.features),
      /** As many places as there are, less one, as the rings themselves say. */
      masks: (view: Int32Array) => [
        view[word(ringParameters.submissionMask) >> 2],
        view[word(ringParameters.completionMask) >> 2],
      ],
      bytes: Math.max(
        word(ringParameters.submissionArray) + 4 * word(ringParameters.submissionEntries),
        word(ringParameters.completionList) + completion.size * word(ringParameters.completionEntries),
      ),
      counts: (view: Int32Array) =>
        [
          ringParameters.submissionHead,
          ringParameters.submissionTail,
          ringParameters.completionHead,
          ringParameters.completionTail,
          ringParameters.completionOverflow,
        ].map((offset) => view[word(offset) >> 2]),
    }
  }

  function must(result: ReturnType<typeof setup>) {
    if (typeof result === 'string') throw new Error(result)
    return result
  }

  function map(fd: number, bytes: number, offset: bigint): Int32Array {
    const base = lab.libc.mmap(0n, BigInt(bytes), c.PROT_READ | c.PROT_WRITE, c.MAP_SHARED, fd, offset)
    expect(base).not.toBe(2n ** 64n - 1n)
    return new Int32Array(lab.libc.view(base, bytes))
  }

  it('gives a ring with as many places as it says', () => {
    const ring = must(setup(8, 0))
    expect(readlinkSync(`/proc/self/fd/${ring.fd}`)).toBe('anon_inode:[io_uring]')
    expect(ring.entries).toEqual([8, 16])
    const view = map(ring.fd, ring.bytes, r.IORING_OFF_SQ_RING)
    expect([ring.masks(view), ring.counts(view)]).toEqual([
      [7, 15],
      [0, 0, 0, 0, 0],
    ])
    map(ring.fd, 8 * submission.size, r.IORING_OFF_SQES)
  })

  it('gives more results places where that is asked for, and no more than there can be', () => {
    expect(must(setup(8, r.IORING_SETUP_CQSIZE, 128)).entries).toEqual([8, 128])
    expect(setup(1 << 20, 0)).toBe('EINVAL')
    expect(must(setup(1 << 20, r.IORING_SETUP_CLAMP)).entries[0]).toBe(32_768)
  })

  it('puts off work only for a single thread', () => {
    expect(setup(8, r.IORING_SETUP_DEFER_TASKRUN)).toBe('EINVAL')
    expect(typeof setup(8, r.IORING_SETUP_DEFER_TASKRUN | r.IORING_SETUP_SINGLE_ISSUER)).toBe('object')
  })

  it('tells of the features that the kernel has', () => {
    const { features } = must(setup(8, 0))
    const always = r.IORING_FEAT_SINGLE_MMAP | r.IORING_FEAT_NODROP | r.IORING_FEAT_EXT_ARG
    expect(features & always).toBe(always)
    const [major = 0, minor = 0] = release().split('.').map(Number)
    const isNew = major > 6 || (major === 6 && minor >= 12)
    // Kernels of distributions may have it earlier.
    if (isNew) expect(features & r.IORING_FEAT_MIN_TIMEOUT).toBe(r.IORING_FEAT_MIN_TIMEOUT)
  })

  it('goes on behind a bad request only where that is asked for', () => {
    const carried = [0, r.IORING_SETUP_SUBMIT_ALL].map((flags) => {
      const ring = must(setup(8, flags))
      const requests = map(ring.fd, 8 * submission.size, r.IORING_OFF_SQES)
      // No such operation, and one that does nothing.
      requests[0] = 0xff
      requests[submission.size / 4] = noOperation
      const view = map(ring.fd, ring.bytes, r.IORING_OFF_SQ_RING)
      view[ring.word(ringParameters.submissionArray) >> 2] = 0
      view[(ring.word(ringParameters.submissionArray) >> 2) + 1] = 1
      view[ring.word(ringParameters.submissionTail) >> 2] = 2
      return lab.libc.enterRing(r.SYS_io_uring_enter, ring.fd, 2, 0, 0, 0n, 0n)
    })
    expect(carried).toEqual([1, 2])
  })

  it('tells that the time of a wait is over, and refuses a mask of signals of a wrong length', () => {
    const ring = must(setup(8, 0))
    const limit = lab.arena.take(timespec.size)
    lab.arena.words[(limit + timespec.nanoseconds) >> 2] = 1_000_000
    const argument = lab.arena.take(waitArgument.size)
    lab.arena.setPointer(argument + waitArgument.timeout, limit)
    const flags = r.IORING_ENTER_GETEVENTS | r.IORING_ENTER_EXT_ARG
    const pointer = lab.arena.pointer(argument)
    const enter = () => lab.libc.enterRing(r.SYS_io_uring_enter, ring.fd, 0, 1, flags, pointer, 24n)
    expect([enter(), lab.reason]).toEqual([-1, 'ETIME'])
    // A mask of signals is eight bytes long, or is none.
    lab.arena.setPointer(argument + waitArgument.signalMask, limit)
    lab.arena.words[(argument + waitArgument.signalMaskSize) >> 2] = 7
    expect([enter(), lab.reason]).toEqual([-1, 'EINVAL'])
  })
})
