/**
 * THE table of attributes: name in RFC spelling, number, codec, section. Types below 0x8000 are
 * comprehension-required (RFC 8489 §14). A new attribute is one row here and one vector in the tests.
 */

import type { Codec } from './codecs.ts'
import * as codecs from './codecs.ts'

interface AttributeRow {
  readonly type: number
  readonly codec: Codec<unknown>
  readonly section: string
}

/** What has to be read of text (RFC 8489 §14.3, §14.9, §14.10, §14.14); what is sent is shorter. */
const textBytes = 763
const anyBytes = 0xffff

export const attributes = {
  'MAPPED-ADDRESS': { type: 0x0001, codec: codecs.address, section: 'RFC 8489 §14.1' },
  'CHANGE-REQUEST': { type: 0x0003, codec: codecs.changeRequest, section: 'RFC 5780 §7.2' },
  USERNAME: { type: 0x0006, codec: codecs.text(textBytes), section: 'RFC 8489 §14.3' },
  'MESSAGE-INTEGRITY': { type: 0x0008, codec: codecs.bytes(20, 20), section: 'RFC 8489 §14.5' },
  'ERROR-CODE': { type: 0x0009, codec: codecs.errorCode, section: 'RFC 8489 §14.8' },
  'UNKNOWN-ATTRIBUTES': { type: 0x000a, codec: codecs.uint16List, section: 'RFC 8489 §14.13' },
  'CHANNEL-NUMBER': { type: 0x000c, codec: codecs.uint16Reserved, section: 'RFC 8656 §18.1' },
  LIFETIME: { type: 0x000d, codec: codecs.uint32, section: 'RFC 8656 §18.2' },
  'XOR-PEER-ADDRESS': { type: 0x0012, codec: codecs.xorAddress, section: 'RFC 8656 §18.3' },
  DATA: { type: 0x0013, codec: codecs.bytes(0, anyBytes), section: 'RFC 8656 §18.4' },
  REALM: { type: 0x0014, codec: codecs.text(textBytes), section: 'RFC 8489 §14.9' },
  NONCE: { type: 0x0015, codec: codecs.text(textBytes), section: 'RFC 8489 §14.10' },
  'XOR-RELAYED-ADDRESS': { type: 0x0016, codec: codecs.xorAddress, section: 'RFC 8656 §18.5' },
  'REQUESTED-ADDRESS-FAMILY': { type: 0x0017, codec: codecs.addressFamily, section: 'RFC 8656 §18.6' },
  'EVEN-PORT': { type: 0x0018, codec: codecs.evenPort, section: 'RFC 8656 §18.7' },
  'REQUESTED-TRANSPORT': { type: 0x0019, codec: codecs.uint8Reserved, section: 'RFC 8656 §18.8' },
  'DONT-FRAGMENT': { type: 0x001a, codec: codecs.flag, section: 'RFC 8656 §18.9' },
  'ACCESS-TOKEN': { type: 0x001b, codec: codecs.bytes(0, anyBytes), section: 'RFC 7635 §6.2' },
  'MESSAGE-INTEGRITY-SHA256': { type: 0x001c, codec: codecs.bytes(16, 32), section: 'RFC 8489 §14.6' },
  'PASSWORD-ALGORITHM': { type: 0x001d, codec: codecs.passwordAlgorithm, section: 'RFC 8489 §14.12' },
  USERHASH: { type: 0x001e, codec: codecs.bytes(32, 32), section: 'RFC 8489 §14.4' },
  'XOR-MAPPED-ADDRESS': { type: 0x0020, codec: codecs.xorAddress, section: 'RFC 8489 §14.2' },
  'RESERVATION-TOKEN': { type: 0x0022, codec: codecs.bytes(8, 8), section: 'RFC 8656 §18.10' },
  PRIORITY: { type: 0x0024, codec: codecs.uint32, section: 'RFC 8445 §16.1' },
  'USE-CANDIDATE': { type: 0x0025, codec: codecs.flag, section: 'RFC 8445 §16.1' },
  PADDING: { type: 0x0026, codec: codecs.bytes(0, anyBytes), section: 'RFC 5780 §7.6' },
  'RESPONSE-PORT': { type: 0x0027, codec: codecs.responsePort, section: 'RFC 5780 §7.5' },
  'CONNECTION-ID': { type: 0x002a, codec: codecs.uint32, section: 'RFC 6062 §6.2.1' },
  'ADDITIONAL-ADDRESS-FAMILY': { type: 0x8000, codec: codecs.addressFamily, section: 'RFC 8656 §18.11' },
  'ADDRESS-ERROR-CODE': { type: 0x8001, codec: codecs.addressErrorCode, section: 'RFC 8656 §18.12' },
  'PASSWORD-ALGORITHMS': { type: 0x8002, codec: codecs.passwordAlgorithms, section: 'RFC 8489 §14.11' },
  'ALTERNATE-DOMAIN': { type: 0x8003, codec: codecs.text(255), section: 'RFC 8489 §14.16' },
  ICMP: { type: 0x8004, codec: codecs.icmp, section: 'RFC 8656 §18.13' },
  SOFTWARE: { type: 0x8022, codec: codecs.text(textBytes), section: 'RFC 8489 §14.14' },
  'ALTERNATE-SERVER': { type: 0x8023, codec: codecs.address, section: 'RFC 8489 §14.15' },
  FINGERPRINT: { type: 0x8028, codec: codecs.uint32, section: 'RFC 8489 §14.7' },
  'ICE-CONTROLLED': { type: 0x8029, codec: codecs.uint64, section: 'RFC 8445 §16.1' },
  'ICE-CONTROLLING': { type: 0x802a, codec: codecs.uint64, section: 'RFC 8445 §16.1' },
  'RESPONSE-ORIGIN': { type: 0x802b, codec: codecs.address, section: 'RFC 5780 §7.3' },
  'OTHER-ADDRESS': { type: 0x802c, codec: codecs.address, section: 'RFC 5780 §7.4' },
  'THIRD-PARTY-AUTHORIZATION': { type: 0x802e, codec: codecs.text(anyBytes), section: 'RFC 7635 §6.1' },
  'MOBILITY-TICKET': { type: 0x8030, codec: codecs.bytes(0, anyBytes), section: 'RFC 8016 §6.1' },
  NOMINATION: { type: 0xc001, codec: codecs.uint32, section: 'draft-thatcher-ice-renomination' },
  // Interop: Debian's coturn, client and server, has these two under the numbers of the draft.
  'SSODA-ADDITIONAL-ADDRESS-FAMILY': {
    type: 0x8032,
    codec: codecs.addressFamily,
    section: 'draft-martinsen-tram-ssoda',
  },
  'SSODA-ADDRESS-ERROR-CODE': {
    type: 0x8033,
    codec: codecs.addressErrorCode,
    section: 'draft-martinsen-tram-ssoda',
  },
} as const satisfies Record<string, AttributeRow>

export type AttributeName = keyof typeof attributes

/** The type of an attribute's value, such as `TransportAddress` for 'XOR-MAPPED-ADDRESS'. */
export type AttributeValue<Name extends AttributeName> =
  (typeof attributes)[Name]['codec'] extends Codec<infer Value> ? Value : never

/** A name with a value of its own type: `['LIFETIME', 600]`. */
export type Attribute = { [Name in AttributeName]: readonly [Name, AttributeValue<Name>] }[AttributeName]

const names = new Map<number, AttributeName>(
  Object.entries(attributes).map(([name, row]) => [row.type, name as AttributeName]),
)

/** The name of an attribute type; undefined for a type that this table does not have. */
export function attributeName(type: number): AttributeName | undefined {
  return names.get(type)
}

export function isComprehensionRequired(type: number): boolean {
  return type < 0x8000
}
