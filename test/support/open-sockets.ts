/** The sockets of a process, as Linux tells of them. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface OpenSocket {
  readonly protocol: 'udp' | 'udp6' | 'tcp' | 'tcp6'
  /** As it is, of IPv4; the system's 32 digits, of IPv6. */
  readonly address: string
  readonly port: number
}

export function openSockets(pid: number): OpenSocket[] {
  const own = new Set(readdirSync(`/proc/${pid}/fd`).flatMap((fd) => inodeOf(`/proc/${pid}/fd/${fd}`) ?? []))
  return (['udp', 'udp6', 'tcp', 'tcp6'] as const).flatMap((protocol) => {
    const [, ...lines] = readFileSync(`/proc/${pid}/net/${protocol}`, 'utf8').trim().split('\n')
    return lines.flatMap((line) => {
      const columns = line.trim().split(/\s+/)
      if (!own.has(columns[9]!)) return []
      const [address, port] = columns[1]!.split(':')
      return [
        { protocol, address: address!.length === 8 ? ipOf(address!) : address!, port: parseInt(port!, 16) },
      ]
    })
  })
}

/** Undefined for what is no socket, or is closed in the meantime. */
function inodeOf(path: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1]
  } catch {
    return undefined
  }
}

/** Four bytes, the last one first. */
function ipOf(hex: string): string {
  return Buffer.from(hex, 'hex').reverse().join('.')
}
