/** Run by dont-fragment.test.ts where loopback has an MTU of 1,500: what a server makes of DONT-FRAGMENT there. */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { loadLibc } from '../../src/net/udp-mmsg/libc.ts'
import { defaultConfig } from '../../src/server/config.ts'
import { startServer } from '../../src/server/server.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { KernelLab } from '../support/kernel-lab.ts'
import { LabTurnClient, nextMessage } from '../support/lab-turn-client.ts'

const libc = loadLibc()
if (typeof libc === 'string') throw new Error(libc)
const lab = new KernelLab(libc)
const silent = { level: 'silent', debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as const
const server = await startServer(
  {
    ...defaultConfig,
    listen: [{ transport: 'udp', address: TransportAddress.of('127.0.0.1', 0), isOptional: false }],
    users: [{ name: 'alice', password: 'a' }],
    allowPeers: [parseAddressRange('127.0.0.0/8')],
    io: 'mmsg',
  },
  new NodeHost(),
  silent,
)
const client = new LabTurnClient(lab, server.listeners[0]!.address)
await client.allocate(['DONT-FRAGMENT', true])
const peer = lab.socket()
await client.request('CreatePermission', [['XOR-PEER-ADDRESS', peer.address]])
const arrived: number[] = []

async function relayed(length: number, isWhole: boolean): Promise<void> {
  client.sendIndication(
    peer.address,
    new Uint8Array(length),
    ...(isWhole ? ([['DONT-FRAGMENT', true]] as const) : []),
  )
  arrived.push((await nextMessage(lab, peer.fd)).bytes.length)
}

await relayed(1000, true)
await relayed(2000, false)
client.sendIndication(peer.address, new Uint8Array(2000), ['DONT-FRAGMENT', true])
const message = decodeMessage((await client.receive()).bytes)
const icmp = typeof message === 'string' ? message : message.get('ICMP')
await relayed(2001, false)
process.stdout.write(JSON.stringify({ arrived, icmp }))
await server.close()
lab.close()
