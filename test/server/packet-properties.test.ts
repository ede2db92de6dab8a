/** What a relayed packet has besides its payload, by a server whose driver sees it: DSCP and ECN, ICMP errors (RFC 8656 §14, §11.5). */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { constants as c } from '../../src/net/udp-mmsg/abi.ts'
import { loadLibc } from '../../src/net/udp-mmsg/libc.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { KernelLab, type ReceivedMessage } from '../support/kernel-lab.ts'
import { LabTurnClient, nextMessage } from '../support/lab-turn-client.ts'
import { hasLoopback6 } from '../support/programs.ts'

const libc = loadLibc()
const silent = { level: 'silent', debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as const

/** Best effort, each of the three marks of ECN, voice (EF) without and with one, and the lowest bit of DSCP. */
const trafficClasses = [0, 1, 2, 3, 0xb8, 0xbb, 4]

const families = [
  {
    family: 'IPv4',
    ip: '127.0.0.1',
    level: c.IPPROTO_IP,
    type: c.IP_TOS,
    ask: c.IP_RECVTOS,
    isHere: true,
  },
  {
    family: 'IPv6',
    ip: '::1',
    level: c.IPPROTO_IPV6,
    type: c.IPV6_TCLASS,
    ask: c.IPV6_RECVTCLASS,
    isHere: hasLoopback6('traffic classes over IPv6'),
  },
] as const

const config: ServeConfig = {
  ...defaultConfig,
  users: [{ name: 'alice', password: 'a' }],
  allowPeers: [parseAddressRange('127.0.0.0/8'), parseAddressRange('::1/128')],
  unauthenticatedRate: 0,
  io: 'mmsg',
}

describe.skipIf(typeof libc === 'string').each(families)(
  'A server over mmsg, by $family',
  ({ family, ip, level, type, ask, isHere }) => {
    let lab: KernelLab
    let server: RunningServer
    let client: LabTurnClient

    beforeAll(async () => {
      if (typeof libc === 'string' || !isHere) return
      lab = new KernelLab(libc)
      const listening = TransportAddress.of(ip, 0)
      const listen = [{ transport: 'udp', address: listening, isOptional: false }] as const
      server = await startServer({ ...config, listen }, new NodeHost(), silent)
      client = new LabTurnClient(lab, server.listeners[0]!.address)
      await client.allocate(['REQUESTED-ADDRESS-FAMILY', family])
    })

    afterAll(async () => {
      await server?.close()
      lab?.close()
    })

    const classOf = ({ control }: ReceivedMessage) =>
      control.find((item) => item.level === level && item.type === type)?.data[0]

    it.skipIf(!isHere)('keeps DSCP and ECN, to the peer and to the client', async () => {
      const peer = lab.socket(family)
      await client.request('ChannelBind', [
        ['CHANNEL-NUMBER', 0x4000],
        ['XOR-PEER-ADDRESS', peer.address],
      ])
      for (const { fd } of [peer, client]) lab.set(fd, level, ask, 1)
      for (const trafficClass of trafficClasses) {
        lab.set(client.fd, level, type, trafficClass)
        client.send(Uint8Array.of(0x40, 0, 0, 1, trafficClass))
        const out = await nextMessage(lab, peer.fd)
        expect([out.bytes, classOf(out)]).toEqual([Uint8Array.of(trafficClass), trafficClass])
        lab.set(peer.fd, level, type, trafficClass)
        lab.send(peer.fd, TransportAddress.parse(out.from), Uint8Array.of(7))
        const back = await client.receive()
        expect([back.bytes, classOf(back)]).toEqual([Uint8Array.of(0x40, 0, 0, 1, 7), trafficClass])
      }
      lab.set(client.fd, level, type, 0)
    })

    it.skipIf(!isHere)('tells the client that nobody listens at the peer', async () => {
      const gone = lab.socket(family)
      lab.libc.close(gone.fd)
      await client.request('CreatePermission', [['XOR-PEER-ADDRESS', gone.address]])
      client.sendIndication(gone.address, Uint8Array.of(1))
      const message = decodeMessage((await client.receive()).bytes)
      if (typeof message === 'string') throw new Error(message)
      expect(message.method).toBe('Data')
      expect(`${message.get('XOR-PEER-ADDRESS')}`).toBe(`${gone.address}`)
      const unreachable = family === 'IPv4' ? { type: 3, code: 3 } : { type: 1, code: 4 }
      expect(message.get('ICMP')).toEqual({ ...unreachable, data: 0 })
    })
  },
)
