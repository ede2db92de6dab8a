/** UDP ports that nobody else is given: below those that systems hand out and that tests relay from. */

import { createSocket } from 'node:dgram'

const range = { min: 20_000, max: 32_000 }
const attempts = 100

/** The first, an even one, of so many ports in a row that are free on 127.0.0.1. */
export async function quietPorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const first = range.min + Math.floor(Math.random() * ((range.max - range.min) / 2)) * 2
    const ports = Array.from({ length: count }, (_, i) => first + i)
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first
  }
  throw new Error(`no ${count} free ports in a row in ${attempts} attempts`)
}

function isFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  return new Promise((resolve) => {
    socket.once('error', () => resolve(false))
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
}
