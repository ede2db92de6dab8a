/** What a relayed packet has besides its payload: DSCP, ECN and TTL by each driver, ICMP errors by the one that sees them (RFC 8656 §13, §14, §11.5). */

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { constants as c } from '../../src/net/udp-mmsg/abi.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'
import { parseAddressRange } from '../../src/turn/peer-policy.ts'
import { KernelLab, type ReceivedMessage } from '../support/kernel-lab.ts'
import { LabTurnClient, nextMessage } from '../support/lab-turn-client.ts'
import { libcFor } from '../support/libc.ts'
import { hasLoopback6 } from '../support/programs.ts'

const libc = libcFor('what packets have besides their payload')
const silent = { level: 'silent', debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as const

/** Best effort, each of the three marks of ECN, voice (EF) without and with one, and the lowest bit of DSCP. */
const trafficClasses = [0, 1, 2, 3, 0xb8, 0xbb, 4]

/** What both ends send with, and a relayed packet does not have. */
const shortTtl = 7

/** Beside the driver's own: as Linux has them. */
const [ipTtl, ipRecvTtl] = [2, 12]
const [ipv6UnicastHops, ipv6RecvHopLimit, ipv6HopLimit] = [16, 51, 52]

const families = [
  {
    family: 'IPv4',
    ip: '127.0.0.1',
    level: c.IPPROTO_IP,
    trafficClass: { set: c.IP_TOS, ask: c.IP_RECVTOS, type: c.IP_TOS },
    ttl: { set: ipTtl, ask: ipRecvTtl, type: ipTtl },
    systemTtl: '/proc/sys/net/ipv4/ip_default_ttl',
    unreachable: { type: 3, code: 3 },
    isHere: true,
  },
  {
    family: 'IPv6',
    ip: '::1',
    level: c.IPPROTO_IPV6,
    trafficClass: { set: c.IPV6_TCLASS, ask: c.IPV6_RECVTCLASS, type: c.IPV6_TCLASS },
    ttl: { set: ipv6UnicastHops, ask: ipv6RecvHopLimit, type: ipv6HopLimit },
    systemTtl: '/proc/sys/net/ipv6/conf/lo/hop_limit',
    unreachable: { type: 1, code: 4 },
    isHere: hasLoopback6('traffic classes over IPv6'),
  },
] as const

const rows = (['mmsg', 'dgram'] as const).flatMap((io) =>
  families.filter(({ isHere }) => isHere).map((family) => ({ io, name: family.family, family })),
)

const config: ServeConfig = {
  ...defaultConfig,
  users: [{ name: 'alice', password: 'a' }],
  allowPeers: [parseAddressRange('127.0.0.0/8'), parseAddressRange('::1/128')],
  unauthenticatedRate: 0,
}

function read(bytes: Uint8Array): Message {
  const message = decodeMessage(bytes)
  if (typeof message === 'string') throw new Error(message)
  return message
}

describe.skipIf(typeof libc === 'string').each(rows)(
  'A server over $io, by $name',
  ({ io, family: { family, ip, level, ...of } }) => {
    let lab: KernelLab
    let server: RunningServer
    let client: LabTurnClient
    let relayed: TransportAddress

    beforeAll(async () => {
      if (typeof libc === 'string') throw new Error(libc)
      lab = new KernelLab(libc)
      const listen = [{ transport: 'udp', address: TransportAddress.of(ip, 0), isOptional: false }] as const
      server = await startServer({ ...config, io, listen }, new NodeHost(), silent)
      client = new LabTurnClient(lab, server.listeners[0]!.address)
      relayed = await client.allocate(['REQUESTED-ADDRESS-FAMILY', family])
    })

    afterAll(async () => {
      await server?.close()
      lab?.close()
    })

    const fieldsOf = ({ control }: ReceivedMessage) => {
      const byteOf = (type: number) =>
        control.find((item) => item.level === level && item.type === type)?.data[0]
      return { trafficClass: byteOf(of.trafficClass.type), ttl: byteOf(of.ttl.type) }
    }

    const systemTtl = () => Number(readFileSync(of.systemTtl, 'utf8'))

    it.each(['channel', 'indications'])(
      io === 'mmsg'
        ? 'keeps DSCP and ECN and sends with the TTL of the system, to the peer and to the client, by %s'
        : 'sends as best effort, Not-ECT, with the TTL of the system, to the peer and to the client, by %s',
      async (how) => {
        const peer = lab.socket(family)
        const hasChannel = how === 'channel'
        if (hasChannel) {
          await client.request('ChannelBind', [
            ['CHANNEL-NUMBER', 0x4000],
            ['XOR-PEER-ADDRESS', peer.address],
          ])
        } else await client.request('CreatePermission', [['XOR-PEER-ADDRESS', peer.address]])
        for (const { fd } of [peer, client]) {
          for (const { ask } of [of.trafficClass, of.ttl]) expect(lab.set(fd, level, ask, 1)).toBe(undefined)
          expect(lab.set(fd, level, of.ttl.set, shortTtl)).toBe(undefined)
        }
        for (const trafficClass of trafficClasses) {
          const fields = { trafficClass: io === 'mmsg' ? trafficClass : 0, ttl: systemTtl() }
          lab.set(client.fd, level, of.trafficClass.set, trafficClass)
          const payload = Uint8Array.of(trafficClass)
          if (hasChannel) client.send(Uint8Array.of(0x40, 0, 0, 1, trafficClass))
          else client.sendIndication(peer.address, payload)
          const out = await nextMessage(lab, peer.fd)
          expect({ bytes: out.bytes, from: out.from, ...fieldsOf(out) }).toEqual({
            bytes: payload,
            from: `${relayed}`,
            ...fields,
          })
          lab.set(peer.fd, level, of.trafficClass.set, trafficClass)
          lab.send(peer.fd, relayed, Uint8Array.of(7))
          const back = await client.receive()
          expect(fieldsOf(back)).toEqual(fields)
          if (hasChannel) expect(back.bytes).toEqual(Uint8Array.of(0x40, 0, 0, 1, 7))
          else expect(read(back.bytes).get('DATA')).toEqual(Uint8Array.of(7))
        }
        lab.set(client.fd, level, of.trafficClass.set, 0)
      },
    )

    // The other driver does not see ICMP errors.
    if (io !== 'mmsg') return

    it('tells the client that nobody listens at the peer', async () => {
      const gone = lab.socket(family)
      lab.libc.close(gone.fd)
      await client.request('CreatePermission', [['XOR-PEER-ADDRESS', gone.address]])
      client.sendIndication(gone.address, Uint8Array.of(1))
      const message = read((await client.receive()).bytes)
      expect(message.method).toBe('Data')
      expect(`${message.get('XOR-PEER-ADDRESS')}`).toBe(`${gone.address}`)
      expect(message.get('ICMP')).toEqual({ ...of.unreachable, data: 0 })
    })
  },
)
