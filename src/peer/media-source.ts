/**
 * Picture and sound to send: a WebM or MP4 file, as it is, or the test card that comes with us. Nothing is transcoded.
 * Files have VP8, VP9, AV1 or H.264, and Opus; one with any other track, such as AAC, is refused.
 * Limit: Opus has to be stereo in the file, for that is how it is negotiated, and werift sends nothing of another kind:
 * such a file is refused.
 */

import { access, open } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { TurnpikeError } from '../core/errors.ts'
import { sourceCodecOf } from './source-codec.ts'
import { createMp4WebmRegister, type MediaStreamTrack } from './werift.ts'

export type MediaKind = 'audio' | 'video'

export interface MediaSource {
  readonly tracks: readonly MediaStreamTrack[]
  /** Stops sending. The tracks end. */
  close(): void
}

/** A moving test pattern and a tone of 440 Hz (VP8 and Opus), found whether this runs from the sources or from dist/. */
const testCardPaths = ['../../assets/test-card.webm', '../../../assets/test-card.webm']

/**
 * Opens the kinds that are asked for; 'test' is the test card. Rejects with `media-unavailable` for a file that cannot be
 * read, or has no track of that kind. `loop` starts over at the end.
 */
export async function openMedia(
  file: string | 'test',
  kinds: readonly MediaKind[],
  { loop = file === 'test' }: { readonly loop?: boolean } = {},
): Promise<MediaSource> {
  const path = file === 'test' ? await testCard() : file
  await access(path).catch((cause: NodeJS.ErrnoException) => {
    throw unavailable(path, `cannot be read (${cause.code})`, cause)
  })
  const register = createMp4WebmRegister({ path, loop })
  try {
    if (kinds.includes('audio') && (await hasMonoOpus(path))) {
      throw new Error(
        'its Opus is mono, and only stereo can be sent: ffmpeg -i IN -c:v copy -c:a libopus -ac 2 OUT',
      )
    }
    await register.prepare?.()
    const tracks: MediaStreamTrack[] = []
    for (const kind of kinds) {
      const made = await register.createTracks({ kind, deviceId: path, constraints: {} })
      tracks.push(...made.filter((track) => track.kind === kind))
    }
    for (const track of tracks) if (track.codec !== undefined) track.codec = sourceCodecOf(track.codec)
    const missing = kinds.filter((kind) => !tracks.some((track) => track.kind === kind))
    if (missing.length > 0) throw new Error(`it has no ${missing.join(' and ')} track that can be sent`)
    return { tracks, close: () => register.stop?.() }
  } catch (cause) {
    register.stop?.()
    throw unavailable(path, cause instanceof Error ? cause.message : String(cause), cause)
  }
}

/** The header of Opus in WebM (RFC 7845 §5.1) and in MP4, each with its count of channels. */
const monoHeaders = [Buffer.from('OpusHead\x01\x01', 'latin1'), Buffer.from('dOps\x00\x01', 'latin1')]

/** Limit: bytes at either end of a file that its headers are looked for in. */
const headerBytes = 1024 * 1024

async function hasMonoOpus(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    for (const position of [0, Math.max(0, size - headerBytes)]) {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(headerBytes), position })
      const bytes = buffer.subarray(0, bytesRead)
      if (monoHeaders.some((header) => bytes.includes(header))) return true
    }
    return false
  } finally {
    await file.close()
  }
}

async function testCard(): Promise<string> {
  for (const path of testCardPaths.map((relative) => fileURLToPath(new URL(relative, import.meta.url)))) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  throw new Error('assets/test-card.webm is missing from this installation')
}

function unavailable(path: string, why: string, cause: unknown): TurnpikeError {
  return new TurnpikeError('media-unavailable', `${JSON.stringify(path)} cannot be sent: ${why}`, { cause })
}
