/** Which clients a pair of partners serves together: those that either may write to unasked. */

import { expect, it } from 'vitest'
import { TransportAddress } from '../../../src/core/transport-address.ts'
import { isSharedClient } from '../../../src/turn/partner/clients.ts'
import { PeerPolicy, parseAddressRange } from '../../../src/turn/peer-policy.ts'

const rows: [string, string, string, boolean][] = [
  ['a public client', '8.8.4.4', '9.9.9.9', true],
  ['a private client of a public pair', '10.0.0.7', '9.9.9.9', false],
  ['a client on loopback of a public pair', '127.0.0.1', '9.9.9.9', false],
  ['a link-local client of a public pair', '169.254.169.254', '9.9.9.9', false],
  ['a private client of a private pair', '10.0.0.7', '10.0.0.1', true],
  ['a client on loopback of a private pair', '127.0.0.1', '10.0.0.1', false],
  ['a client on loopback of a pair on loopback', '127.0.0.1', '127.0.0.2', true],
  ['a private client of a pair on loopback', '10.0.0.7', '127.0.0.2', false],
  ['a group', '224.0.0.1', '10.0.0.1', false],
  ['everybody', '255.255.255.255', '10.0.0.1', false],
  ['this host', '0.0.0.0', '127.0.0.2', false],
  ['a public client over IPv6', '2600::1', '2600::2', true],
  ['a unique local client of a public pair', 'fd00::1', '2600::2', false],
  ['a client of the other family', '2600::1', '9.9.9.9', false],
  ['a tunnel to a private address', '2002:a00:7::1', '2600::2', false],
  ['a client that the policy denies', '8.8.8.8', '9.9.9.9', false],
  ['a private client that the policy denies', '10.9.0.1', '10.0.0.1', false],
  ['a private client that the policy allows', '192.168.7.7', '9.9.9.9', true],
]
const policy = new PeerPolicy({
  allow: [parseAddressRange('192.168.7.0/24')],
  deny: [parseAddressRange('8.8.8.8'), parseAddressRange('10.9.0.0/16')],
})

it.each(rows)('%s (%s at %s): %s', (_name, client, own, isServed) => {
  expect(isSharedClient(TransportAddress.of(client, 1), TransportAddress.of(own, 3478), policy)).toBe(
    isServed,
  )
})
