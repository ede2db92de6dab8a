/**
 * What Linux's headers say, for the LP64 machines that this driver runs on (x64 and arm64, little-endian): where the
 * fields of structures lie, and what constants are. Offsets and sizes are in bytes.
 */

/** `struct iovec`: base, length. */
export const iovec = { size: 16, base: 0, length: 8 } as const

/** `struct msghdr` with its padding. */
export const msghdr = {
  size: 56,
  name: 0,
  nameLength: 8,
  iov: 16,
  iovLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
} as const

/** `struct mmsghdr`: a msghdr, and how many bytes were received or sent. */
export const mmsghdr = { size: 64, length: 56 } as const

/** `struct cmsghdr`, and what one with up to eight bytes of data takes (CMSG_SPACE). */
export const cmsghdr = { size: 16, length: 0, level: 8, type: 12, data: 16, spaceOfInt: 24 } as const

export const sockaddrIn = { size: 16, family: 0, port: 2, address: 4 } as const
export const sockaddrIn6 = { size: 28, family: 0, port: 2, flowInfo: 4, address: 8, scopeId: 24 } as const

/** `struct epoll_event` is packed on x64, and on x64 alone. */
export const epollEvents = {
  x64: { size: 12, events: 0, data: 4 },
  arm64: { size: 16, events: 0, data: 8 },
} as const

/** `struct sock_extended_err` (RFC-like numbers of ICMP in type and code). */
export const extendedError = { size: 16, errno: 0, origin: 4, type: 5, code: 6, info: 8 } as const

/** `struct __kernel_timespec`. */
export const timespec = { size: 16, seconds: 0, nanoseconds: 8 } as const

export const constants = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,

  SOL_SOCKET: 1,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_REUSEPORT: 15,
  SO_SNDBUFFORCE: 32,
  SO_RCVBUFFORCE: 33,

  IPPROTO_IP: 0,
  IP_TOS: 1,
  IP_MTU_DISCOVER: 10,
  IP_RECVERR: 11,
  IP_RECVTOS: 13,
  IP_PMTUDISC_DONT: 0,
  IP_PMTUDISC_DO: 2,

  IPPROTO_IPV6: 41,
  IPV6_MTU_DISCOVER: 23,
  IPV6_RECVERR: 25,
  IPV6_V6ONLY: 26,
  IPV6_RECVTCLASS: 66,
  IPV6_TCLASS: 67,

  SOL_UDP: 17,
  UDP_SEGMENT: 103,
  UDP_GRO: 104,

  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  MSG_ERRQUEUE: 0x2000,
  MSG_NOSIGNAL: 0x4000,

  EPOLL_CLOEXEC: 0o2000000,
  EPOLL_CTL_ADD: 1,
  EPOLLIN: 0x1,
  EPOLLERR: 0x8,

  EFD_NONBLOCK: 0o4000,
  EFD_CLOEXEC: 0o2000000,

  PROT_READ: 0x1,
  PROT_WRITE: 0x2,
  MAP_SHARED: 0x01,
  MAP_PRIVATE: 0x02,
  MAP_ANONYMOUS: 0x20,
  MAP_NORESERVE: 0x4000,
  MAP_POPULATE: 0x8000,

  SO_EE_ORIGIN_LOCAL: 1,
  SO_EE_ORIGIN_ICMP: 2,
  SO_EE_ORIGIN_ICMP6: 3,
} as const

/** errno by number: those that a socket can give, by the names that Node uses too. */
const errnoNames: Readonly<Record<number, string>> = {
  1: 'EPERM',
  4: 'EINTR',
  5: 'EIO',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  16: 'EBUSY',
  17: 'EEXIST',
  19: 'ENODEV',
  22: 'EINVAL',
  23: 'ENFILE',
  24: 'EMFILE',
  28: 'ENOSPC',
  32: 'EPIPE',
  38: 'ENOSYS',
  62: 'ETIME',
  71: 'EPROTO',
  90: 'EMSGSIZE',
  92: 'ENOPROTOOPT',
  93: 'EPROTONOSUPPORT',
  95: 'EOPNOTSUPP',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
  100: 'ENETDOWN',
  101: 'ENETUNREACH',
  105: 'ENOBUFS',
  110: 'ETIMEDOUT',
  111: 'ECONNREFUSED',
  112: 'EHOSTDOWN',
  113: 'EHOSTUNREACH',
  125: 'ECANCELED',
}

export const errno = {
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EINVAL: 22,
  EPROTO: 71,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
  EOPNOTSUPP: 95,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  ECANCELED: 125,
} as const

/** `EAGAIN`, or `errno 4711` for one without a name here. */
export function errnoName(number: number): string {
  return errnoNames[number] ?? `errno ${number}`
}
