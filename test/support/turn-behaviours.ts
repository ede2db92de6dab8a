/** What a TURN client and a server do together, whatever the transport between them and whoever has written the server. */

import { expect } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { ClientTransport } from '../../src/turn/socket-numbers.ts'
import type { ActorOptions, TurnActor } from './turn-actor.ts'
import type { Stage, StageName } from './turn-stages.ts'

export interface Behaviour {
  readonly name: string
  readonly needsIPv6?: true
  /** Where it is not played, and why. */
  readonly except?: Partial<
    Record<StageName | ClientTransport | `${StageName} by ${ClientTransport}`, string>
  >
  play(stage: Stage, transport: ClientTransport): Promise<void>
}

const realTime = 'it takes minutes of real time'

export const behaviours: readonly Behaviour[] = [
  {
    name: 'allocates after a challenge, and is told its own address',
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const [first, second, ...more] = actor.requests('Allocate')
      expect([first?.has('USERNAME'), second?.has('NONCE'), more]).toEqual([false, true, []])
      expect(actor.relayed.map(({ family }) => family)).toEqual(['IPv4'])
      expect(actor.connection.allocation?.mapped).toBeDefined()
      await closed(stage, actor)
    },
  },
  {
    name: 'is refused with 401 when the password is wrong, and does not try again',
    play: async (stage, transport) => {
      const actor = stage.open(transport, { credentials: { username: 'alice', password: 'wrong' } })
      await stage.until(() => actor.said('failed').length > 0, 'the refusal')
      expect(actor.said('failed')).toMatchObject([{ failure: { type: 'rejected', code: 401 } }])
      expect(actor.requests('Allocate')).toHaveLength(2)
    },
  },
  {
    name: 'is had from another port when an allocation of before has its own (437)',
    except: { tcp: 'a connection takes its allocation along when it ends', tls: 'likewise' },
    play: async (stage, transport) => {
      for (let attempt = 1; ; attempt++) {
        const gone = await allocated(stage, transport)
        const firstPort = gone.connection.local!.port
        gone.connection.destroy()
        // Its socket is closed at the end of this turn.
        await stage.pass(20)
        const actor = stage.open(transport, { firstPort })
        await stage.until(() => actor.events.length > 0, 'an allocation')
        // Somebody else on this machine may have been given the port in the meantime.
        if (actor.events[0]?.type === 'failed' && attempt < 5) continue
        expect(actor.events[0]).toMatchObject({ type: 'allocated' })
        expect(actor.connection.local?.port).not.toBe(firstPort)
        expect(actor.requests('Allocate').length).toBeGreaterThanOrEqual(3)
        await closed(stage, actor)
        return
      }
    },
  },
  {
    name: 'follows a 300 to the alternate server, by the transport that it has come by',
    play: async (stage, transport) => {
      const server = await stage.variant('redirects', transport)
      const actor = await allocated(stage, transport, { server })
      expect(actor.connection.allocation?.server.equals(server.address)).toBe(false)
      expect(actor.connection.transport).toBe(transport)
      await closed(stage, actor)
    },
  },
  {
    name: 'shows a new nonce when the server says that its own is stale (438)',
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport, {
        server: await stage.variant('short nonces', transport),
      })
      const peer = await stage.echo()
      await stage.pass(2500)
      await permitted(stage, actor, peer)
      const nonces = actor.requests('CreatePermission').map((request) => request.get('NONCE'))
      expect(new Set(nonces).size).toBeGreaterThan(1)
      await echoed(stage, actor, peer, 'with a new nonce')
      await closed(stage, actor)
    },
  },
  {
    name: 'signs by SHA-256 from the moment that the server has offered it',
    except: { coturn: 'it signs by SHA-1 alone' },
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const peer = await stage.echo()
      await permitted(stage, actor, peer)
      for (const request of [...actor.requests('Allocate').slice(1), ...actor.requests('CreatePermission')]) {
        expect([request.integritySha256Offset > 0, request.integrityOffset]).toEqual([true, -1])
        expect(request.get('PASSWORD-ALGORITHM')?.algorithm).toBe(2)
      }
      await closed(stage, actor)
    },
  },
  {
    name: 'exchanges data with a peer by indications',
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const peer = await stage.echo()
      await permitted(stage, actor, peer)
      await echoed(stage, actor, peer, 'by indication')
      expect([actor.requests('Send').length > 0, actor.channelData]).toEqual([true, 0])
      await closed(stage, actor)
    },
  },
  {
    name: 'exchanges data of every length with a peer by a channel',
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const peer = await stage.echo()
      actor.connection.bindChannel(peer)
      await stage.until(() => actor.said('channel-bound').length > 0, 'the channel')
      for (const length of [1, 2, 3, 4, 5, 6, 7, 8, 1200]) {
        await echoed(stage, actor, peer, 'x'.repeat(length))
      }
      expect([actor.requests('Send'), actor.channelData >= 9]).toEqual([[], true])
      await closed(stage, actor)
    },
  },
  {
    name: 'sends at once on a channel that is being bound',
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const peer = await stage.echo()
      actor.connection.bindChannel(peer)
      expect(actor.send(peer, 'right away')).toBe(true)
      expect([actor.said('channel-bound'), actor.channelData]).toEqual([[], 1])
      await echoed(stage, actor, peer, 'and later')
      await closed(stage, actor)
    },
  },
  {
    name: 'has one refused peer fail alone',
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const peer = await stage.echo()
      const nowhere = TransportAddress.of('0.0.0.1', 5000)
      actor.connection.permit(nowhere)
      await permitted(stage, actor, peer)
      await stage.until(() => actor.said('permission-refused').length > 0, 'the refusal')
      expect(actor.said('permission-refused')).toMatchObject([{ peer: nowhere, failure: { code: 403 } }])
      await echoed(stage, actor, peer, 'still there')
      await closed(stage, actor)
    },
  },
  {
    name: 'allocates in IPv6, and reaches a peer there',
    needsIPv6: true,
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport, { family: 'IPv6' })
      expect(actor.relayed.map(({ family }) => family)).toEqual(['IPv6'])
      const peer = await stage.echo('IPv6')
      await permitted(stage, actor, peer)
      await echoed(stage, actor, peer, 'over IPv6')
      await closed(stage, actor)
    },
  },
  {
    name: 'allocates in both families at once, and reaches peers in both',
    needsIPv6: true,
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport, { family: 'both' })
      expect(actor.relayed.map(({ family }) => family).sort()).toEqual(['IPv4', 'IPv6'])
      for (const family of ['IPv4', 'IPv6'] as const) {
        const peer = await stage.echo(family)
        await permitted(stage, actor, peer)
        await echoed(stage, actor, peer, `over ${family}`)
      }
      await closed(stage, actor)
    },
  },
  {
    name: 'has the next port kept, and takes it by its token',
    play: async (stage, transport) => {
      const first = await allocated(stage, transport, { evenPort: { reserveNext: true } })
      const { reservationToken } = first.connection.allocation!
      expect([first.relayed[0]!.port % 2, reservationToken?.length]).toEqual([0, 8])
      const second = await allocated(stage, transport, { reservationToken })
      expect(second.relayed[0]?.port).toBe(first.relayed[0]!.port + 1)
      await closed(stage, second)
      await closed(stage, first)
    },
  },
  {
    name: 'takes its allocation along to another port (RFC 8016)',
    except: {
      'coturn by tcp': 'coturn 4.6 answers the Refresh with 24 bytes that are no message: the end of one',
      'coturn by tls': 'likewise',
    },
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport, { mobility: true })
      const peer = await stage.echo()
      actor.connection.bindChannel(peer)
      await stage.until(() => actor.said('channel-bound').length > 0, 'the channel')
      const [relayed] = actor.relayed
      const { local } = actor.connection
      actor.connection.move()
      await stage.until(() => actor.said('moved').length > 0, 'the move')
      expect(actor.relayed).toEqual([relayed])
      expect(actor.connection.local).not.toEqual(local)
      await echoed(stage, actor, peer, 'from elsewhere')
      await closed(stage, actor)
    },
  },
  {
    name: 'keeps allocation, permission and channel for hours, by a Refresh at half its life',
    except: { turnpike: realTime, coturn: realTime },
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const [bound, plain] = [await stage.echo(), await stage.echo()]
      actor.connection.bindChannel(bound)
      await permitted(stage, actor, plain)
      await stage.pass(7_200_000)
      await echoed(stage, actor, bound, 'by the channel')
      await echoed(stage, actor, plain, 'by the permission')
      // 24 halves of 600 seconds; each nonce of 600 seconds costs one more now and then.
      expect(actor.requests('Refresh').length).toBeGreaterThanOrEqual(23)
      expect(actor.requests('Refresh').length).toBeLessThanOrEqual(48)
      expect(actor.said('allocation-lost')).toEqual([])
      await closed(stage, actor)
    },
  },
  {
    name: 'binds a peer to its old channel within the cool-down, and another peer to another',
    except: { turnpike: realTime, coturn: realTime },
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport)
      const [peer, other] = [await stage.echo(), await stage.echo()]
      actor.connection.bindChannel(peer)
      await stage.until(() => actor.said('channel-bound').length === 1, 'the channel')
      actor.connection.forget(peer)
      await stage.until(() => actor.said('channel-expired').length === 1, 'its end')
      actor.connection.bindChannel(other)
      actor.connection.bindChannel(peer)
      await stage.until(() => actor.said('channel-bound').length === 3, 'both channels')
      const numberOf = (wanted: TransportAddress) =>
        actor.said('channel-bound').flatMap((event) => (event.peer.equals(wanted) ? event.number : []))
      const [first, again] = numberOf(peer)
      expect(again).toBe(first)
      expect(numberOf(other)).not.toContain(first)
      await closed(stage, actor)
    },
  },
  {
    name: 'deletes its allocation by a Refresh of 0 when it closes',
    play: async (stage, transport) => {
      const actor = await allocated(stage, transport, { closeDeadlineMs: 50_000 })
      await closed(stage, actor)
      const last = actor.requests('Refresh').at(-1)
      expect(last?.get('LIFETIME')).toBe(0)
      expect(actor.events.at(-1)).toEqual({ type: 'closed' })
      expect(actor.connection.local).toBeUndefined()
    },
  },
]

async function allocated(
  stage: Stage,
  transport: ClientTransport,
  options: Partial<ActorOptions> = {},
): Promise<TurnActor> {
  const actor = stage.open(transport, options)
  await stage.until(() => actor.events.length > 0, 'an allocation')
  expect(actor.events[0]).toMatchObject({ type: 'allocated' })
  return actor
}

async function permitted(stage: Stage, actor: TurnActor, peer: TransportAddress): Promise<void> {
  actor.connection.permit(peer)
  await stage.until(
    () => actor.said('permission-installed').some((event) => event.peer.equals(peer)),
    'the permission',
  )
}

/** To the peer and back. */
async function echoed(stage: Stage, actor: TurnActor, peer: TransportAddress, text: string): Promise<void> {
  const send = () => actor.send(peer, text)
  const isBack = () => actor.received.some((packet) => packet.from === `${peer}` && packet.text === text)
  expect(send()).toBe(true)
  await stage.until(isBack, `the echo of ${text}`, send)
}

async function closed(stage: Stage, actor: TurnActor): Promise<void> {
  actor.connection.close()
  await stage.until(() => actor.said('closed').length > 0, 'the end')
}
