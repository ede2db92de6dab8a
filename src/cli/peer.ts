/** `turnpike peer`: a headless peer at the command line, with what happens on one live line or as JSON lines. */

import { Command, InvalidArgumentError } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import { parseServerUri } from '../stun/uri.ts'
import { integerBetween, repeatable } from './parse-options.ts'
import type { PeerFlags } from './peer-flags.ts'
import { PeerScreen } from './peer-screen.ts'

export function peerCommand(): Command {
  return new Command('peer')
    .description('Call a peer, or be called, without a browser.')
    .option('--signal <url>', 'the signaling server, such as ws://127.0.0.1:3480/signaling', parseSignal)
    .option('--whip <url>', 'publish to that WHIP endpoint instead', parseHttp)
    .option('--whep <url>', 'play what that WHEP endpoint has', parseHttp)
    .option('--serve <url>', 'be a WHIP and WHEP endpoint there, such as http://127.0.0.1:8080', parseHttp)
    .option('--paste', 'without any server: what each side has to know is copied and pasted by you')
    .option('--room <room>', 'the room to meet in', 'demo')
    .option('--name <name>', 'what others see', 'turnpike peer')
    .option('--key-file <file>', 'the key of the room, or the bearer token of the endpoint')
    .option('--call <peer>', 'call the peer of that name or id, now or when it comes; "any" is the first one')
    .option('--answer', 'accept every call (the default without --call)')
    .option('--video <source>', 'send a picture: "test" or a WebM or MP4 file')
    .option('--audio <source>', 'send sound: "test" or a file')
    .option('--record <file>', 'write what the peer sends to a WebM file')
    .option('--echo', 'send back picture, sound and chat')
    .option('--say <text>', 'a chat message to send')
    .option('--relay-only', 'go through TURN and no other way')
    .option(
      '--ice-server <uri>',
      'a stun: or turn: URI to use, for --paste and HTTP; repeatable',
      repeatable(parseIceServer),
    )
    .option('--user <name>', 'the user of the turn: URIs')
    .option('--password-file <file>', 'the password of the turn: URIs')
    .option('--no-trickle', 'send HTTP endpoints all candidates at once')
    .option('--seconds <n>', 'hang up after that long', integerBetween(1, 86_400, 'seconds'))
    .option('--stats', 'tell how the call is doing every second, also where there is no terminal')
    .option('--json', 'tell everything as JSON lines on stdout')
    .action(runPeer)
}

const ways = ['signal', 'whip', 'whep', 'serve', 'paste'] as const

async function runPeer(flags: PeerFlags): Promise<void> {
  const chosen = ways.filter((way) => flags[way] !== undefined)
  if (chosen.length !== 1) {
    const what =
      chosen.length === 0 ? 'how to reach a peer is missing' : `--${chosen.join(' and --')} are two ways`
    throw usage(`${what}: give one of --signal URL, --whip URL, --whep URL, --serve URL, --paste`)
  }
  const hasMedia = flags.video !== undefined || flags.audio !== undefined
  if (flags.echo === true && hasMedia) {
    throw usage('--echo sends back what comes: leave out --video and --audio')
  }
  if (flags.whip !== undefined && !hasMedia) throw usage('--whip publishes: give --video or --audio')
  if (flags.whep !== undefined && hasMedia) throw usage('--whep plays: leave out --video and --audio')
  const screen = new PeerScreen(flags)
  const { signal, whip, whep, serve } = flags
  // What is not run is not loaded: the start takes a second as it is.
  if (signal !== undefined) await (await import('./peer-room.ts')).runInRoom(signal, flags, screen)
  else if (whip !== undefined) await (await import('./peer-http.ts')).runWhip(whip, flags, screen)
  else if (whep !== undefined) await (await import('./peer-http.ts')).runWhep(whep, flags, screen)
  else if (serve !== undefined) await (await import('./peer-http.ts')).runEndpoint(serve, flags, screen)
  else await (await import('./peer-paste.ts')).runByPaste(flags, screen)
}

function usage(message: string): TurnpikeError {
  return new TurnpikeError('configuration-invalid', message)
}

function parseSignal(text: string): string {
  if (/^wss?:\/\/[^/]/.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError(
    `${JSON.stringify(text)} is not a WebSocket address; write ws://127.0.0.1:3480/signaling`,
  )
}

function parseHttp(text: string): string {
  if (/^https?:\/\/[^/]/.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError(
    `${JSON.stringify(text)} is not an address of HTTP; write http://127.0.0.1:8080`,
  )
}

function parseIceServer(text: string): string {
  try {
    parseServerUri(text)
    return text
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}
