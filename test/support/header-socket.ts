/** A UDP socket of Linux whose packets' IP header fields can be set and read, which Node's own cannot. */

import type { TransportAddress } from '../../src/core/transport-address.ts'
import { constants as c, cmsghdr, iovec, msghdr } from '../../src/net/udp-mmsg/abi.ts'
import type { Libc } from '../../src/net/udp-mmsg/libc.ts'
import { socketAddressBytes, writeSocketAddress } from '../../src/net/udp-mmsg/socket-address.ts'
import { until } from './until.ts'

const [IP_TTL, IP_RECVTTL] = [2, 12]

export interface ReceivedHeader {
  readonly bytes: Uint8Array
  /** The TOS byte: DSCP and ECN. */
  readonly tos: number
  readonly ttl: number
}

/** Where things lie in the page that the system is shown. */
const at = { message: 0, iovec: 64, address: 128, option: 192, control: 256, data: 1024, end: 4096 } as const

export class HeaderSocket {
  readonly #libc: Libc
  readonly #fd: number
  readonly #page: bigint
  readonly #view: DataView
  readonly port: number

  /** At 127.0.0.1, and a port that the system chooses. */
  constructor(libc: Libc) {
    this.#libc = libc
    this.#page = libc.mmap(
      0n,
      BigInt(at.end),
      c.PROT_READ | c.PROT_WRITE,
      c.MAP_PRIVATE | c.MAP_ANONYMOUS,
      -1,
      0n,
    )
    this.#view = new DataView(libc.view(this.#page, at.end))
    this.#fd = libc.socket(c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK | c.SOCK_CLOEXEC, 0)
    this.#set(c.IP_RECVTOS, 1)
    this.#set(IP_RECVTTL, 1)
    this.#view.setUint16(at.address, c.AF_INET, true)
    this.#view.setUint32(at.address + 4, 0x7f000001)
    this.#check(libc.bind(this.#fd, this.#page + BigInt(at.address), 16), 'bind')
    this.#view.setUint32(at.option, 16, true)
    const [name, length] = [this.#page + BigInt(at.address), this.#page + BigInt(at.option)]
    this.#check(libc.getsockname(this.#fd, name, length), 'getsockname')
    this.port = this.#view.getUint16(at.address + 2)
  }

  setTos(tos: number): void {
    this.#set(c.IP_TOS, tos)
  }

  setTtl(ttl: number): void {
    this.#set(IP_TTL, ttl)
  }

  send(bytes: Uint8Array, destination: TransportAddress): void {
    new Uint8Array(this.#view.buffer, at.data).set(bytes)
    writeSocketAddress(new Int32Array(this.#view.buffer), at.address >> 2, destination)
    this.#describe(bytes.length, 16, 0)
    this.#check(this.#libc.sendmsg(this.#fd, this.#page, 0), 'sendmsg')
  }

  /** The next packet, when it has come. */
  async receive(): Promise<ReceivedHeader> {
    let length = -1
    await until(() => {
      this.#describe(at.end - at.data, socketAddressBytes, at.data - at.control)
      length = this.#libc.recvmsg(this.#fd, this.#page, 0)
      return length >= 0
    }, 'a packet')
    const fields = { tos: -1, ttl: -1 }
    const end = at.control + Number(this.#view.getBigUint64(msghdr.controlLength, true))
    for (let offset: number = at.control; offset + cmsghdr.size <= end; ) {
      const size = Number(this.#view.getBigUint64(offset + cmsghdr.length, true))
      const type = this.#view.getInt32(offset + cmsghdr.type, true)
      if (type === c.IP_TOS) fields.tos = this.#view.getUint8(offset + cmsghdr.data)
      if (type === IP_TTL) fields.ttl = this.#view.getInt32(offset + cmsghdr.data, true)
      offset += (size + 7) & ~7
    }
    return { bytes: new Uint8Array(this.#view.buffer, at.data, length).slice(), ...fields }
  }

  close(): void {
    this.#libc.close(this.#fd)
    this.#libc.munmap(this.#page, BigInt(at.end))
  }

  #set(option: number, value: number): void {
    this.#view.setInt32(at.option, value, true)
    const pointer = this.#page + BigInt(at.option)
    this.#check(this.#libc.setsockopt(this.#fd, c.IPPROTO_IP, option, pointer, 4), 'setsockopt')
  }

  /** A message header with one piece of data, an address and, to receive it, control data. */
  #describe(dataBytes: number, nameBytes: number, controlBytes: number): void {
    const view = this.#view
    view.setBigUint64(at.iovec + iovec.base, this.#page + BigInt(at.data), true)
    view.setBigUint64(at.iovec + iovec.length, BigInt(dataBytes), true)
    view.setBigUint64(msghdr.name, this.#page + BigInt(at.address), true)
    view.setUint32(msghdr.nameLength, nameBytes, true)
    view.setBigUint64(msghdr.iov, this.#page + BigInt(at.iovec), true)
    view.setBigUint64(msghdr.iovLength, 1n, true)
    view.setBigUint64(msghdr.control, controlBytes > 0 ? this.#page + BigInt(at.control) : 0n, true)
    view.setBigUint64(msghdr.controlLength, BigInt(controlBytes), true)
  }

  #check(result: number, what: string): void {
    if (result < 0) throw new Error(`${what}: errno ${this.#libc.errno()}`)
  }
}
