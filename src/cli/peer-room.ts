/** `turnpike peer --signal`: in a room of a signaling server, calling and being called. */

import { TurnpikeError } from '../core/errors.ts'
import type { Call, CallHandlers, CallOptions } from '../peer/call.ts'
import type { HeadlessPeer } from '../peer/headless-peer.ts'
import type { PeerSummary } from '../signaling/protocol.ts'
import { callFailed, keyOf, messageOf, openSources, type PeerFlags, untilStopped } from './peer-flags.ts'
import type { PeerScreen } from './peer-screen.ts'

export async function runInRoom(url: string, flags: PeerFlags, screen: PeerScreen): Promise<void> {
  const { HeadlessPeer } = await import('../peer/headless-peer.ts')
  const media = await openSources(flags)
  const ended = untilStopped()
  const stop = () => ended.resolve()
  const token = keyOf(flags)
  const options: CallOptions = { media, echo: flags.echo, recordTo: flags.record }
  const begin = (call: Call) => {
    if (flags.say !== undefined) call.say(flags.say)
    screen.watch(call.peer.id, call)
    if (flags.seconds !== undefined) setTimeout(stop, flags.seconds * 1000).unref()
  }
  const wantsAnswer = flags.answer === true || flags.call === undefined
  const handlers = (peer: PeerSummary): CallHandlers => ({
    connected: () => screen.connected(peer),
    message: (text) => screen.tell('message', { from: peer.name, text }),
    ended: (reason) => {
      screen.ended(peer, reason)
      if (!wantsAnswer) stop()
    },
  })
  let isCalling = false
  const tryCall = (other: PeerSummary) => {
    if (isCalling || joined === undefined) return
    isCalling = true
    screen.tell('calling', { id: other.id, name: other.name })
    callPeer(joined, other).catch(ended.reject)
  }
  const callPeer = async (self: HeadlessPeer, other: PeerSummary) => {
    const call = await self.call(other.id, options, handlers(other))
    begin(call)
    await call.connected()
  }
  let joined: HeadlessPeer | undefined
  await using peer = await HeadlessPeer.join({
    url,
    room: flags.room,
    name: flags.name,
    relayOnly: flags.relayOnly === true,
    ...(token === undefined ? {} : { token }),
    onPeerJoined: (other) => {
      screen.tell('peer-joined', { id: other.id, name: other.name })
      if (isMeant(other, flags.call)) tryCall(other)
    },
    onPeerLeft: (id) => screen.tell('peer-left', { id }),
    onCall: (incoming) => {
      if (!wantsAnswer) incoming.decline('takes no calls')
      else begin(incoming.accept(options, handlers(incoming.peer)))
    },
  }).catch((error) => {
    media?.close()
    throw new TurnpikeError('call-failed', `cannot join ${url}: ${messageOf(error)}`, {
      cause: error,
    })
  })
  joined = peer
  screen.joined(peer.id, flags.room, peer.peers)
  const there = peer.peers.find((other) => isMeant(other, flags.call))
  if (there !== undefined) tryCall(there)
  try {
    await ended.promise
  } catch (error) {
    throw callFailed(error)
  } finally {
    screen.close()
    media?.close()
  }
}

function isMeant({ id, name }: PeerSummary, wanted: string | undefined): boolean {
  return wanted !== undefined && (wanted === 'any' || wanted === id || wanted === name)
}
