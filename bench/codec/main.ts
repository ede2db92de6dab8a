/**
 * The codec and the engine in nanoseconds an operation, beside npm turn-server's codec in the same run:
 * `npm run bench -- codec`. Writes its section of bench/RESULTS.md.
 */

import { TransportAddress } from '../../src/core/transport-address.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage } from '../../src/stun/message.ts'
import { BenchedEngine } from '../support/engine.ts'
import { machine, table, writeSection } from '../support/results.ts'
import { type Figure, format, measure } from '../support/suite.ts'
import { rival } from './rival.ts'

const transactionId = Uint8Array.from({ length: 12 }, (_, i) => i * 17)
const key = Uint8Array.from({ length: 16 }, (_, i) => i * 11)
const relayed = { ip: '192.0.2.7', port: 40_000 }
const mapped = { ip: '203.0.113.5', port: 50_000 }

const request = encodeMessage(
  {
    class: 'request',
    method: 'CreatePermission',
    transactionId,
    attributes: [
      ['XOR-PEER-ADDRESS', TransportAddress.of(relayed.ip, relayed.port)],
      ['USERNAME', 'alice'],
      ['REALM', 'example.org'],
      ['NONCE', '5f2b8c1d9e3a4b7c6d5e4f3a2b1c0d9e'],
    ],
  },
  { integrity: [{ algorithm: 'sha1', key }] },
)

/** What keeps the optimizer from dropping the work: every case adds to it. */
let sink = 0

function decodeOurs(): void {
  const message = decodeMessage(request)
  if (typeof message === 'string') throw new Error(message)
  sink += message.get('XOR-PEER-ADDRESS')!.port
  sink += message.get('USERNAME')!.length + message.get('NONCE')!.length
}

function decodeTheirs(): void {
  const message = rival.decode_message(request)!
  sink += (message.getAttribute(0x0012) as typeof relayed).port
  sink += (message.getAttribute(0x0006) as string).length + (message.getAttribute(0x0015) as string).length
}

const ours = {
  relayed: TransportAddress.of(relayed.ip, relayed.port),
  mapped: TransportAddress.of(mapped.ip, mapped.port),
}

function encodeOurs(): void {
  sink += encodeMessage(
    {
      class: 'success',
      method: 'Allocate',
      transactionId,
      attributes: [
        ['XOR-RELAYED-ADDRESS', ours.relayed],
        ['XOR-MAPPED-ADDRESS', ours.mapped],
        ['LIFETIME', 600],
      ],
    },
    { integrity: [{ algorithm: 'sha1', key }] },
  ).length
}

function encodeTheirs(): void {
  sink += rival.encode_message({
    method: 3,
    cls: 2,
    transactionId,
    key,
    fingerprint: false,
    attributes: [
      { type: 0x0016, value: relayed },
      { type: 0x0020, value: mapped },
      { type: 0x000d, value: 600 },
    ],
  }).buf.length
}

const engine = new BenchedEngine()
const figures = await measure([
  { name: 'decode, look up three attributes', run: decodeOurs },
  { name: 'decode, look up three attributes: npm turn-server', run: decodeTheirs },
  { name: 'encode with MESSAGE-INTEGRITY', run: encodeOurs },
  { name: 'encode with MESSAGE-INTEGRITY: npm turn-server', run: encodeTheirs },
  {
    name: 'ChannelData to route',
    run: () => {
      sink += engine.handle(engine.clients[0]!.channelData)!.end
    },
  },
  {
    name: 'authenticated request, end to end in the engine',
    run: () => {
      sink += engine.refresh().length
    },
  },
])
if (!(sink > 0)) throw new Error('nothing was measured')
writeSection('Codec', report(figures))

function report(results: readonly Figure[]): string {
  const [decode, rivalDecode, encode, rivalEncode] = results.map(({ nanoseconds }) => nanoseconds)
  const ratio = (theirs = 0, own = 1) => (theirs / own).toFixed(1)
  return [
    table(
      ['operation', 'time'],
      results.map((figure) => [figure.name, format(figure)]),
    ),
    '',
    `Against npm turn-server 0.6.6 in this run: decode ${ratio(rivalDecode, decode)} times its rate, encode with`,
    `MESSAGE-INTEGRITY ${ratio(rivalEncode, encode)} times. ${machine()}. \`npm run bench -- codec\`.`,
  ].join('\n')
}
