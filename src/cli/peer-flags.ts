/** What the ways to run `turnpike peer` have in common: flags, media, and when to stop. */

import { TurnpikeError } from '../core/errors.ts'
import type { MediaKind, MediaSource } from '../peer/media-source.ts'
import type { IceServer } from '../signaling/protocol.ts'
import { readSecretFile } from './parse-credentials.ts'

export interface PeerFlags {
  readonly signal?: string
  readonly whip?: string
  readonly whep?: string
  readonly serve?: string
  readonly paste?: boolean
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
  readonly iceServer?: readonly string[]
  readonly user?: string
  readonly passwordFile?: string
  readonly trickle: boolean
  readonly seconds?: number
  readonly stats?: boolean
  readonly json?: boolean
}

/** Resolved by SIGINT and SIGTERM, and by whoever finds that it is over. */
export function untilStopped(): PromiseWithResolvers<void> {
  const ended = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.resolve())
  return ended
}

export function keyOf({ keyFile }: PeerFlags): string | undefined {
  return keyFile === undefined ? undefined : readSecretFile('--key-file', keyFile, () => {}).trim()
}

/** For a way that has no signaling server to tell them. */
export function iceServersOf({ iceServer: urls = [], user, passwordFile }: PeerFlags): IceServer[] {
  const needsLogin = urls.some((url) => url.startsWith('turn'))
  if (needsLogin && (user === undefined || passwordFile === undefined)) {
    throw new TurnpikeError(
      'configuration-invalid',
      'a turn: server asks who you are: give --user and --password-file',
    )
  }
  if (!needsLogin || user === undefined || passwordFile === undefined)
    return urls.length === 0 ? [] : [{ urls }]
  const credential = readSecretFile('--password-file', passwordFile, () => {}).trim()
  return [{ urls, username: user, credential }]
}

/** One source may give both kinds; each is opened once. */
export async function openSources({ video, audio }: PeerFlags): Promise<MediaSource | undefined> {
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

/** An error with the message of another one, for which the exit code is 1. */
export function callFailed(error: unknown): TurnpikeError {
  if (error instanceof TurnpikeError) return error
  return new TurnpikeError('call-failed', messageOf(error), { cause: error })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
