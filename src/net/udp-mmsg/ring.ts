/**
 * An io_uring: requests go into one ring, results come out of another, and one system call carries all requests over
 * and waits for results. Where a system call is dear (page-table isolation), that is worth more than anything else.
 */

import { constants as c, errno, errnoName, timespec } from './abi.ts'
import type { Arena } from './arena.ts'
import type { Libc } from './libc.ts'
import { completion, ringConstants as r, ringParameters, submission, waitArgument } from './ring-abi.ts'

const submissionEntries = 1024
const completionEntries = 8192

const needed = r.IORING_FEAT_SINGLE_MMAP | r.IORING_FEAT_NODROP | r.IORING_FEAT_EXT_ARG

export class Ring {
  readonly #libc: Libc
  readonly #arena: Arena
  readonly #fd: number
  readonly #mappings: readonly Mapping[]
  readonly #rings: Int32Array
  readonly #requests: Int32Array
  readonly #submissionHead: number
  readonly #submissionTail: number
  readonly #submissionMask: number
  readonly #completionHead: number
  readonly #completionTail: number
  readonly #completionMask: number
  readonly #completions: number
  readonly #wait: number
  readonly #waitPointer: bigint
  readonly #timeout: number
  readonly #hasMinimumWait: boolean
  /** The tail as it will be, and how far the kernel has been told. */
  #tail = 0
  #told = 0
  #head = 0
  /** System calls. */
  calls = 0

  /** The ring, or why this system has none that is good enough. */
  static open(libc: Libc, arena: Arena): Ring | string {
    const parameters = arena.take(ringParameters.size)
    arena.words[(parameters + ringParameters.flags) >> 2] =
      r.IORING_SETUP_CQSIZE |
      r.IORING_SETUP_CLAMP |
      r.IORING_SETUP_SUBMIT_ALL |
      r.IORING_SETUP_SINGLE_ISSUER |
      r.IORING_SETUP_DEFER_TASKRUN
    arena.words[(parameters + ringParameters.completionEntries) >> 2] = completionEntries
    const fd = libc.syscall(
      r.SYS_io_uring_setup,
      BigInt(submissionEntries),
      arena.pointer(parameters),
      0n,
      0n,
      0n,
      0n,
    )
    if (fd < 0) return `io_uring_setup: ${errnoName(libc.errno())}`
    const features = arena.words[(parameters + ringParameters.features) >> 2]!
    if ((features & needed) !== needed) {
      libc.close(fd)
      return `io_uring without features 0x${(needed & ~features).toString(16)}`
    }
    const word = (at: number) => arena.words[(parameters + at) >> 2]!
    const ringBytes = Math.max(
      word(ringParameters.submissionArray) + 4 * word(ringParameters.submissionEntries),
      word(ringParameters.completionList) + completion.size * word(ringParameters.completionEntries),
    )
    const requestBytes = submission.size * word(ringParameters.submissionEntries)
    const rings = mapRing(libc, fd, ringBytes, r.IORING_OFF_SQ_RING)
    const requests = rings === undefined ? undefined : mapRing(libc, fd, requestBytes, r.IORING_OFF_SQES)
    if (rings === undefined || requests === undefined) {
      const reason = errnoName(libc.errno())
      if (rings !== undefined) libc.munmap(rings.base, BigInt(ringBytes))
      libc.close(fd)
      return `mmap of an io_uring: ${reason}`
    }
    return new Ring(libc, arena, fd, rings, requests, word)
  }

  private constructor(
    libc: Libc,
    arena: Arena,
    fd: number,
    rings: Mapping,
    requests: Mapping,
    word: (at: number) => number,
  ) {
    this.#libc = libc
    this.#arena = arena
    this.#fd = fd
    this.#mappings = [rings, requests]
    this.#rings = new Int32Array(rings.view)
    this.#requests = new Int32Array(requests.view)
    this.#submissionHead = word(ringParameters.submissionHead) >> 2
    this.#submissionTail = word(ringParameters.submissionTail) >> 2
    this.#submissionMask = this.#rings[word(ringParameters.submissionMask) >> 2]!
    this.#completionHead = word(ringParameters.completionHead) >> 2
    this.#completionTail = word(ringParameters.completionTail) >> 2
    this.#completionMask = this.#rings[word(ringParameters.completionMask) >> 2]!
    this.#completions = word(ringParameters.completionList) >> 2
    this.#hasMinimumWait = (word(ringParameters.features) & r.IORING_FEAT_MIN_TIMEOUT) !== 0
    const array = word(ringParameters.submissionArray) >> 2
    for (let i = 0; i <= this.#submissionMask; i++) this.#rings[array + i] = i
    this.#timeout = arena.take(timespec.size)
    this.#wait = arena.take(waitArgument.size)
    this.#waitPointer = arena.pointer(this.#wait)
  }

  get fd(): number {
    return this.#fd
  }

  /** Whether `enter` can wait for more than one result without missing its time. */
  get hasMinimumWait(): boolean {
    return this.#hasMinimumWait
  }

  register(operation: number, argument: bigint, count: number): string | undefined {
    const result = this.#libc.syscall(
      r.SYS_io_uring_register,
      BigInt(this.#fd),
      BigInt(operation),
      argument,
      BigInt(count),
      0n,
      0n,
    )
    return result < 0 ? errnoName(this.#libc.errno()) : undefined
  }

  /** The requests' memory, as words. */
  get requests(): Int32Array {
    return this.#requests
  }

  /** Where the next request goes, as a word of `requests`; all of it is to be written. */
  next(): number {
    if (this.#tail - this.#rings[this.#submissionHead]! > this.#submissionMask) this.submit()
    const at = (this.#tail & this.#submissionMask) * (submission.size >> 2)
    this.#tail = (this.#tail + 1) | 0
    return at
  }

  /** Carries over what is there, without waiting. */
  submit(): void {
    this.#enter(0, 0, 0n, 0n)
  }

  /**
   * Carries over what is there, and waits for a result for at most `timeoutMs` (-1: for ever); with `minimumWaitUs`
   * for `count` results, but no longer than that once there is one.
   */
  enter(timeoutMs: number, count: number, minimumWaitUs: number): void {
    if (timeoutMs === 0) {
      this.#enter(0, r.IORING_ENTER_GETEVENTS, 0n, 0n)
      return
    }
    const { words } = this.#arena
    const wait = this.#wait >> 2
    if (timeoutMs > 0) {
      const seconds = Math.floor(timeoutMs / 1000)
      words[(this.#timeout + timespec.seconds) >> 2] = seconds
      words[(this.#timeout + timespec.nanoseconds) >> 2] = (timeoutMs - seconds * 1000) * 1_000_000
      this.#arena.setPointer(this.#wait + waitArgument.timeout, this.#timeout)
    } else {
      words[wait + (waitArgument.timeout >> 2)] = 0
      words[wait + (waitArgument.timeout >> 2) + 1] = 0
    }
    const isGathering = minimumWaitUs > 0 && this.#hasMinimumWait
    words[wait + (waitArgument.minimumWaitUs >> 2)] = isGathering ? minimumWaitUs : 0
    const flags = r.IORING_ENTER_GETEVENTS | r.IORING_ENTER_EXT_ARG
    this.#enter(isGathering ? count : 1, flags, this.#waitPointer, waitBytes)
  }

  #enter(count: number, flags: number, argument: bigint, bytes: bigint): void {
    this.#rings[this.#submissionTail] = this.#tail
    for (;;) {
      const waiting = (this.#tail - this.#told) | 0
      const taken = this.#libc.enterRing(
        r.SYS_io_uring_enter,
        this.#fd,
        waiting,
        count,
        flags,
        argument,
        bytes,
      )
      this.calls++
      this.#told = this.#rings[this.#submissionHead]!
      if (taken >= 0) return
      if (this.#libc.errno() !== errno.EINTR) return
    }
  }

  /** How many results wait to be read. */
  get available(): number {
    return (this.#rings[this.#completionTail]! - this.#head) | 0
  }

  /** The memory of results, as words. */
  get results(): Int32Array {
    return this.#rings
  }

  /** Where the oldest result stands, as a word of `results`. */
  get first(): number {
    return this.#completions + (this.#head & this.#completionMask) * (completion.size >> 2)
  }

  /** As `first`, and goes on to the next. */
  take(): number {
    const at = this.first
    this.#head = (this.#head + 1) | 0
    return at
  }

  /** Gives the places of the results taken back to the kernel. */
  release(): void {
    this.#rings[this.#completionHead] = this.#head
  }

  close(): void {
    this.#libc.close(this.#fd)
    for (const { base, view } of this.#mappings) this.#libc.munmap(base, BigInt(view.byteLength))
  }
}

const waitBytes = BigInt(waitArgument.size)

interface Mapping {
  readonly base: bigint
  readonly view: ArrayBuffer
}

function mapRing(libc: Libc, fd: number, bytes: number, offset: bigint): Mapping | undefined {
  const protection = c.PROT_READ | c.PROT_WRITE
  const base = libc.mmap(0n, BigInt(bytes), protection, c.MAP_SHARED | c.MAP_POPULATE, fd, offset)
  return base === 2n ** 64n - 1n ? undefined : { base, view: libc.view(base, bytes) }
}
