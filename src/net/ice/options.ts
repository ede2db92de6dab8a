/** What an ICE transport is made with. */

import type { TcpType } from '../../ice/candidate.ts'
import type { InterfaceRules } from '../../ice/interfaces.ts'
import type { IceAgentOptions } from '../../ice/options.ts'
import type { ClientTlsOptions } from '../client-transport.ts'
import type { UdpMux } from './udp-mux.ts'

/** As W3C's RTCIceServer. */
export interface IceServer {
  /**
   * `stun:`, `stuns:`, `turn:` and `turns:` URIs. Each is asked by itself, and has a deadline of its own. `stuns:`
   * tells of simultaneous-open candidates, if there are such (`tcp`).
   */
  readonly urls: string | readonly string[]
  readonly username?: string | undefined
  /** The password. */
  readonly credential?: string | undefined
}

export interface IceTransportOptions extends IceAgentOptions {
  readonly servers?: readonly IceServer[] | undefined
  /** 'relay': nothing is sent to the peer but through TURN servers, and it is told of nothing else. */
  readonly transportPolicy?: 'all' | 'relay' | undefined
  /** Which addresses of this host are used, and in which order. */
  readonly interfaces?: InterfaceRules | undefined
  /** Candidates over TCP (RFC 6544). None unless given. For 'so', Linux and Node 26: elsewhere it gives none. */
  readonly tcp?: readonly TcpType[] | undefined
  /**
   * 'resolve': names that the peer signals in place of addresses are asked for on the local network. 'hide': we do the
   * same with our own host addresses. 'off': names are ignored.
   */
  readonly mdns?: 'off' | 'resolve' | 'hide' | undefined
  /**
   * Interfaces that come later are used at once, and the peer never hears that gathering is over. Otherwise they are
   * with the next restart, and gathering is over when every server has answered or has had its time. An interface that
   * goes takes its candidates along in any case, within two seconds.
   */
  readonly continualGathering?: boolean | undefined
  /** How long a STUN or TURN server may take. */
  readonly serverDeadlineMs?: number | undefined
  /** All candidates over UDP are on the mux's port, with those of other sessions. For one stream of one component. */
  readonly mux?: UdpMux | undefined
  /** The ports of host candidates, both ends included; the system chooses unless given. */
  readonly portRange?: readonly [first: number, last: number] | undefined
  /**
   * Asks TURN servers for tickets, with which allocations follow us to another address (RFC 8016). A server that gives
   * none costs a round trip more.
   */
  readonly turnMobility?: boolean | undefined
  /** For TURN and STUN over TLS. */
  readonly tls?: ClientTlsOptions | undefined
}

export const transportDefaults = {
  serverDeadlineMs: 5000,
  /** How often a NAT is reminded of a mapping that has been told to the peer, while no pair is selected yet. */
  bindingRefreshMs: 15_000,
} as const

/** All URIs, with the credentials that go with each. */
export function listServers(servers: readonly IceServer[]): {
  url: string
  credentials: { username: string; password: string } | undefined
}[] {
  return servers.flatMap(({ urls, username, credential }) => {
    const credentials =
      username === undefined || credential === undefined ? undefined : { username, password: credential }
    return (typeof urls === 'string' ? [urls] : urls).map((url) => ({ url, credentials }))
  })
}
