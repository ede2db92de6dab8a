/** Every structure and constant of the system calls against the headers of the system, by its own C compiler. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { constants as system, tmpdir } from 'node:os'
import { join } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { describe, expect, it } from 'vitest'
import * as abi from '../../../src/net/udp-mmsg/abi.ts'
import * as ring from '../../../src/net/udp-mmsg/ring-abi.ts'

const includes = [
  ...[
    'errno.h',
    'poll.h',
    'stddef.h',
    'stdio.h',
    'netinet/in.h',
    'netinet/udp.h',
    'sys/epoll.h',
    'sys/eventfd.h',
  ],
  ...['sys/mman.h', 'sys/socket.h', 'sys/syscall.h', 'sys/uio.h', 'linux/errqueue.h', 'linux/io_uring.h'],
]

/** For each structure the name it has in C, and its fields by our names; or an expression in their place. */
const structures: [string, Readonly<Record<string, number>>, string, Readonly<Record<string, string>>][] = [
  ['iovec', abi.iovec, 'struct iovec', { base: 'iov_base', length: 'iov_len' }],
  [
    'msghdr',
    abi.msghdr,
    'struct msghdr',
    {
      ...{ name: 'msg_name', nameLength: 'msg_namelen', iov: 'msg_iov', iovLength: 'msg_iovlen' },
      ...{ control: 'msg_control', controlLength: 'msg_controllen', flags: 'msg_flags' },
    },
  ],
  ['mmsghdr', abi.mmsghdr, 'struct mmsghdr', { length: 'msg_len' }],
  ['cmsghdr', abi.cmsghdr, 'struct cmsghdr', { length: 'cmsg_len', level: 'cmsg_level', type: 'cmsg_type' }],
  [
    'sockaddrIn',
    abi.sockaddrIn,
    'struct sockaddr_in',
    { family: 'sin_family', port: 'sin_port', address: 'sin_addr' },
  ],
  [
    'sockaddrIn6',
    abi.sockaddrIn6,
    'struct sockaddr_in6',
    {
      ...{ family: 'sin6_family', port: 'sin6_port', flowInfo: 'sin6_flowinfo' },
      ...{ address: 'sin6_addr', scopeId: 'sin6_scope_id' },
    },
  ],
  [
    'epollEvents',
    process.arch === 'arm64' ? abi.epollEvents.arm64 : abi.epollEvents.x64,
    'struct epoll_event',
    { events: 'events', data: 'data' },
  ],
  [
    'extendedError',
    abi.extendedError,
    'struct sock_extended_err',
    { errno: 'ee_errno', origin: 'ee_origin', type: 'ee_type', code: 'ee_code', info: 'ee_info' },
  ],
  ['timespec', abi.timespec, 'struct __kernel_timespec', { seconds: 'tv_sec', nanoseconds: 'tv_nsec' }],
  [
    'submission',
    ring.submission,
    'struct io_uring_sqe',
    {
      ...{ opcode: 'opcode', flags: 'flags', ioPriority: 'ioprio', fd: 'fd', address: 'addr', length: 'len' },
      ...{ operationFlags: 'msg_flags', userData: 'user_data', bufferGroup: 'buf_group' },
    },
  ],
  [
    'completion',
    ring.completion,
    'struct io_uring_cqe',
    { userData: 'user_data', result: 'res', flags: 'flags' },
  ],
  [
    'ringParameters',
    ring.ringParameters,
    'struct io_uring_params',
    {
      ...{ submissionEntries: 'sq_entries', completionEntries: 'cq_entries', flags: 'flags' },
      ...{ features: 'features', submissionHead: 'sq_off.head', submissionTail: 'sq_off.tail' },
      ...{ submissionMask: 'sq_off.ring_mask', submissionArray: 'sq_off.array' },
      ...{ completionHead: 'cq_off.head', completionTail: 'cq_off.tail' },
      ...{ completionMask: 'cq_off.ring_mask', completionOverflow: 'cq_off.overflow' },
      completionList: 'cq_off.cqes',
    },
  ],
  [
    'waitArgument',
    ring.waitArgument,
    'struct io_uring_getevents_arg',
    // Between them and the time limit is `pad`, which is `min_wait_usec` since Linux 6.12.
    { signalMask: 'sigmask', signalMaskSize: 'sigmask_sz', timeout: 'ts' },
  ],
  [
    'bufferRegistration',
    ring.bufferRegistration,
    'struct io_uring_buf_reg',
    { address: 'ring_addr', entries: 'ring_entries', group: 'bgid' },
  ],
  [
    'ringBuffer',
    ring.ringBuffer,
    'struct io_uring_buf',
    { address: 'addr', length: 'len', id: 'bid', tail: 'resv' },
  ],
  [
    'receiveHeader',
    ring.receiveHeader,
    'struct io_uring_recvmsg_out',
    { nameLength: 'namelen', controlLength: 'controllen', payloadLength: 'payloadlen', flags: 'flags' },
  ],
]

/** What is no name of the headers, or is newer than those of some systems: the kernel's own numbers. */
const newer: Readonly<Record<string, number>> = {
  IORING_FEAT_MIN_TIMEOUT: 1 << 15,
  IORING_SETUP_DEFER_TASKRUN: 1 << 13,
  IORING_SETUP_SINGLE_ISSUER: 1 << 12,
}

const constants = { ...abi.constants, ...ring.ringConstants }

/** The values of C expressions; undefined where there is no compiler, or its headers are older than all this. */
function evaluate(expressions: readonly string[]): number[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'turnpike-abi-'))
  try {
    const prints = expressions.map((expression) => `printf("%lld\\n", (long long)(${expression}));`)
    const fallbacks = Object.entries(newer).map(
      ([name, value]) => `#ifndef ${name}\n#define ${name} ${value}\n#endif`,
    )
    const source = [
      '#define _GNU_SOURCE',
      ...includes.map((name) => `#include <${name}>`),
      ...fallbacks,
      `int main(void) { ${prints.join('\n')} return 0; }`,
    ]
    writeFileSync(join(folder, 'abi.c'), source.join('\n'))
    execFileSync('cc', ['-w', '-o', 'abi', 'abi.c'], { cwd: folder, stdio: 'ignore' })
    return execFileSync(join(folder, 'abi'), { encoding: 'utf8' }).trim().split('\n').map(Number)
  } catch {
    return undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const layouts = structures.flatMap(([, , type, fields]) => [
  `sizeof(${type})`,
  ...Object.values(fields).map((field) => (field.includes('(') ? field : `offsetof(${type}, ${field})`)),
])
const names = Object.keys(constants)
const values = process.platform === 'linux' ? evaluate([...layouts, ...names]) : undefined
if (values === undefined) {
  console.warn('\n*** SKIPPED: structures against the C headers. There is no cc, or no linux/io_uring.h\n')
}

describe.skipIf(values === undefined)('the headers of this system', () => {
  let next = 0
  const take = () => values?.[next++]
  const found = structures.map(([name, ours, , fields]) => {
    const size = take()
    return [
      name,
      ours,
      { size, ...Object.fromEntries(Object.keys(fields).map((field) => [field, take()])) },
    ] as const
  })

  it.each(found)('lay %s out as we do', (_name, ours, theirs) => {
    expect(ours).toMatchObject(theirs)
  })

  it.each(names.map((name, i) => [name, i] as const))('have the number of %s', (name, i) => {
    expect(Number(constants[name as keyof typeof constants])).toBe(values?.[layouts.length + i])
  })
})

describe('the numbers of errors', () => {
  const named = Array.from({ length: 134 }, (_, number) => [abi.errnoName(number), number] as const).filter(
    ([name, number]) => name !== `errno ${number}`,
  )

  it.each([...Object.entries(abi.errno), ...named])('are those that Node knows: %s', (name, number) => {
    const known: Readonly<Record<string, number>> = system.errno
    expect(known[name] ?? number).toBe(number)
    if (known[name] === undefined) expect(getSystemErrorName(-number)).toBe(name)
  })

  it('have a name where a socket can give them', () => {
    expect(named.length).toBeGreaterThan(30)
    expect(named.map(([name]) => name)).toEqual(expect.arrayContaining(Object.keys(abi.errno)))
  })
})
