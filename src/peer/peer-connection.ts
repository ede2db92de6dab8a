/**
 * W3C's RTCPeerConnection: werift's, on our ICE. werift has no hook for it, so the transports are made by us, from werift's
 * own parts, with an `AgentConnection` beneath each.
 */

import type { Host } from '../core/host.ts'
import type { IceStats } from '../ice/stats.ts'
import type { IceTransportOptions } from '../net/ice/options.ts'
import { NodeHost } from '../net/node-host.ts'
import { AgentConnection } from './agent-connection.ts'
import { PromptDtlsTransport } from './dtls-transport.ts'
import { explain } from './explain.ts'
import type { ServerFailure } from './ice-session.ts'
import { RTCSessionDescription } from './session-description.ts'
import {
  candidateFromIce,
  type IceConnection,
  RTCIceGatherer,
  RTCIceTransport,
  RTCPeerConnection,
  type RTCPeerConnectionConfig,
  useAV1,
  useH264,
  useOPUS,
  usePCMU,
  useVP8,
  useVP9,
} from './werift.ts'

export interface PeerConnectionConfig extends Partial<RTCPeerConnectionConfig> {
  /** The machine, or the simulated one, that it runs on; this one unless given. */
  readonly host?: Host
  /** What else the ICE transport is to be made with; servers and policy are W3C's `iceServers`, `iceTransportPolicy`. */
  readonly ice?: Omit<Partial<IceTransportOptions>, 'role' | 'credentials' | 'servers' | 'transportPolicy'>
}

type LocalDescription = Awaited<ReturnType<RTCPeerConnection['setLocalDescription']>>

/** AEAD_AES_128_GCM and AES_CM_128_HMAC_SHA1_80 (RFC 7714 §14.2, RFC 5764 §4.1.2). */
const srtpProfiles = [0x0007, 0x0001] as const

/** What files hold that we send and record, preferred first; of video, werift's own are VP8 alone. */
const defaultCodecs = () => ({
  audio: [useOPUS(), usePCMU()],
  video: [useVP8(), useH264(), useVP9(), useAV1()],
})

/** W3C's RTCPeerConnection, and what is known of a connection that does not come about. */
export class PeerConnection extends RTCPeerConnection {
  readonly #connections: AgentConnection[] = []
  /** Descriptions being set; what is gathered meanwhile is told afterwards, for no peer can take it before them. */
  #settingLocal = 0
  readonly #untold: (() => void)[] = []
  #made: Pick<RTCSessionDescription, 'type' | 'sdp'> | undefined

  constructor({ host = new NodeHost(), ice = {}, ...config }: PeerConnectionConfig = {}) {
    // werift asks a public server of its own accord when there is no list.
    super({ iceServers: [], codecs: defaultCodecs(), ...config, bundlePolicy: 'max-bundle' })
    // biome-ignore lint/complexity/useLiteralKeys: private to TypeScript, and reached by this spelling only
    const manager = this['secureManager']
    manager.createTransport = () => {
      const session = () => ({
        mdns: 'resolve' as const,
        ...ice,
        servers: this.getConfiguration().iceServers ?? [],
        transportPolicy:
          this.getConfiguration().iceTransportPolicy === 'relay' ? ('relay' as const) : ('all' as const),
      })
      const connection = new AgentConnection(host, session, (failure) => this.#serverFailed(failure))
      this.#connections.push(connection)
      const gatherer = new AgentGatherer(connection, (act) => this.#tell(act))
      gatherer.onGatheringStateChange.subscribe(() => manager.updateIceGatheringState())
      manager.updateIceGatheringState()
      const transport = new RTCIceTransport(gatherer)
      transport.onStateChange.subscribe(() => manager.updateIceConnectionState())
      return new PromptDtlsTransport(manager.config, transport, manager.certificate, [...srtpProfiles])
    }
  }

  /** Interop: libraries edit what they are given, as W3C lets them; werift's own is frozen. */
  override async createOffer(options?: { readonly iceRestart?: boolean }): Promise<RTCSessionDescription> {
    this.#made = await super.createOffer(options)
    return new RTCSessionDescription(this.#made)
  }

  override async createAnswer(): Promise<RTCSessionDescription> {
    this.#made = await super.createAnswer()
    return new RTCSessionDescription(this.#made)
  }

  /** Interop: simple-peer strikes out `a=ice-options`, which werift would not know its offer by any more. */
  override setLocalDescription(description: { type: 'rollback' }): Promise<void>
  override setLocalDescription(
    description?: Parameters<RTCPeerConnection['setLocalDescription']>[0],
  ): Promise<LocalDescription>
  override setLocalDescription(
    description: Partial<Record<'type' | 'sdp', string | undefined>> = {},
  ): Promise<never> {
    const { type, sdp } = description
    const isMade = type === this.#made?.type && withoutIceOptions(sdp) === withoutIceOptions(this.#made?.sdp)
    this.#settingLocal++
    const done = super.setLocalDescription((isMade ? this.#made : description) as never)
    const tell = () => {
      // After whoever awaits this has signalled the description.
      setImmediate(() => {
        if (--this.#settingLocal === 0) for (const act of this.#untold.splice(0)) act()
      })
    }
    done.then(tell, tell)
    return done as Promise<never>
  }

  /** Interop: simple-peer takes a `getStats` with a parameter for the one of old browsers, which calls back. */
  override getStats(...[selector]: Parameters<RTCPeerConnection['getStats']>) {
    return super.getStats(selector)
  }

  /** Pairs and candidates as our ICE counts them; werift's `getStats` has the rest. */
  iceStats(): IceStats {
    const all = this.#connections.map(({ session }) => session.stats())
    return {
      pairs: all.flatMap(({ pairs }) => pairs),
      candidates: all.flatMap(({ candidates }) => candidates),
    }
  }

  /** Why there is no connection, or by which pair there is one: lines for people. */
  explain(): string {
    const sessions = this.#connections.map(({ session }) => session)
    return explain({
      state: this.iceConnectionState,
      pairs: sessions.flatMap((session) => session.pairs()),
      serverFailures: sessions.flatMap(({ serverFailures }) => serverFailures),
      localCandidates: this.#connections.reduce(
        (sum, { localCandidates }) => sum + localCandidates.length,
        0,
      ),
      remoteCandidates: this.#connections.reduce(
        (sum, { remoteCandidates }) => sum + remoteCandidates.length,
        0,
      ),
    })
  }

  #tell(act: () => void): void {
    if (this.#settingLocal > 0) this.#untold.push(act)
    else act()
  }

  /** W3C's icecandidateerror, which werift knows and never fires. 701: the server gave no answer that helps. */
  #serverFailed({ url, reason }: ServerFailure): void {
    const event = Object.assign(new Event('icecandidateerror'), { url, errorCode: 701, errorText: reason })
    this.onicecandidateerror?.(event as never)
    this.dispatchEvent(event)
  }
}

function withoutIceOptions(sdp: string | undefined): string | undefined {
  return sdp?.replace(/^a=ice-options:.*\r?\n/gm, '')
}

/** Tells candidates as they come, and their end when it has come; werift's own tells the end when gathering begins. */
class AgentGatherer extends RTCIceGatherer {
  readonly #agent: AgentConnection

  constructor(agent: AgentConnection, tell: (act: () => void) => void) {
    // It makes a connection of its own first, which opens nothing and is let go of.
    super({})
    this.#agent = agent
    ;(this as { connection: IceConnection }).connection = agent
    agent.onIceCandidate.subscribe((candidate) =>
      tell(() => this.onIceCandidate(candidateFromIce(candidate))),
    )
    agent.onEndOfCandidates = () =>
      tell(() => {
        this.onIceCandidate(undefined)
        this.setGatheringState('complete')
      })
  }

  override async gather(): Promise<void> {
    if (this.gatheringState !== 'new') return
    this.setGatheringState('gathering')
    await this.#agent.gatherCandidates()
  }
}
