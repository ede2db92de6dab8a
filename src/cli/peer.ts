/** `turnpike peer`: a headless peer at the command line, with what happens on one live line or as JSON lines. */

import { Command, InvalidArgumentError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { Call, CallHandlers, CallOptions } from '../peer/call.ts'
import type { HeadlessPeer } from '../peer/headless-peer.ts'
import type { MediaKind, MediaSource } from '../peer/media-source.ts'
import type { PeerSummary } from '../signaling/protocol.ts'
import { readSecretFile } from './parse-credentials.ts'
import { integerBetween } from './parse-options.ts'
import { PeerScreen } from './peer-screen.ts'

interface PeerFlags {
  readonly signal: string
  readonly room: string
  readonly name: string
  readonly keyFile?: string
  readonly call?: string
  readonly answer?: boolean
  readonly video?: string
  readonly audio?: string
  readonly record?: string
  readonly echo?: boolean
  readonly say?: string
  readonly relayOnly?: boolean
  readonly seconds?: number
  readonly stats?: boolean
  readonly json?: boolean
}

export function peerCommand(): Command {
  return new Command('peer')
    .requiredOption(
      '--signal <url>',
      'the signaling server, such as ws://127.0.0.1:3480/signaling',
      parseSignal,
    )
    .option('--room <room>', 'the room to meet in', 'demo')
    .option('--name <name>', 'what others see', 'turnpike peer')
    .option('--key-file <file>', 'the key of the room, where it asks for one')
    .option('--call <peer>', 'call the peer of that name or id, now or when it comes; "any" is the first one')
    .option('--answer', 'accept every call (the default without --call)')
    .option('--video <source>', 'send a picture: "test" or a WebM or MP4 file')
    .option('--audio <source>', 'send sound: "test" or a file')
    .option('--record <file>', 'write what the peer sends to a WebM file')
    .option('--echo', 'send back picture, sound and chat')
    .option('--say <text>', 'a chat message to send')
    .option('--relay-only', 'go through TURN and no other way')
    .option('--seconds <n>', 'hang up after that long', integerBetween(1, 86_400, 'seconds'))
    .option('--stats', 'tell how the call is doing every second, also where there is no terminal')
    .option('--json', 'tell everything as JSON lines on stdout')
    .action(runPeer)
}

async function runPeer(flags: PeerFlags): Promise<void> {
  if (flags.echo === true && (flags.video !== undefined || flags.audio !== undefined)) {
    throw new TurnpikeError(
      'configuration-invalid',
      '--echo sends back what comes: leave out --video and --audio',
    )
  }
  const screen = new PeerScreen(flags)
  const { HeadlessPeer } = await import('../peer/headless-peer.ts')
  const media = await openSources(flags)
  const ended = Promise.withResolvers<void>()
  const stop = () => ended.resolve()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const options: CallOptions = { media, echo: flags.echo, recordTo: flags.record }
  const begin = (call: Call) => {
    if (flags.say !== undefined) call.say(flags.say)
    screen.watch(call)
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
    url: flags.signal,
    room: flags.room,
    name: flags.name,
    relayOnly: flags.relayOnly === true,
    ...(flags.keyFile === undefined
      ? {}
      : { token: readSecretFile('--key-file', flags.keyFile, () => {}).trim() }),
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
    throw new TurnpikeError('call-failed', `cannot join ${flags.signal}: ${messageOf(error)}`, {
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
    throw new TurnpikeError('call-failed', messageOf(error), { cause: error })
  } finally {
    screen.close()
    media?.close()
  }
}

function isMeant({ id, name }: PeerSummary, wanted: string | undefined): boolean {
  return wanted !== undefined && (wanted === 'any' || wanted === id || wanted === name)
}

/** One source may give both kinds; each is opened once. */
async function openSources({ video, audio }: PeerFlags): Promise<MediaSource | undefined> {
  const kinds = new Map<string, MediaKind[]>()
  for (const [kind, source] of [
    ['video', video],
    ['audio', audio],
  ] as const) {
    if (source !== undefined) kinds.set(source, [...(kinds.get(source) ?? []), kind])
  }
  if (kinds.size === 0) return undefined
  const { openMedia } = await import('../peer/media-source.ts')
  const opened = await Promise.all([...kinds].map(([source, wanted]) => openMedia(source, wanted)))
  return {
    tracks: opened.flatMap(({ tracks }) => tracks),
    close: () => {
      for (const source of opened) source.close()
    },
  }
}

function parseSignal(text: string): string {
  if (/^wss?:\/\/[^/]/.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError(
    `${JSON.stringify(text)} is not a WebSocket address; write ws://127.0.0.1:3480/signaling`,
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
