/** What a track is in, as far as it decides whether it can be sent. */

import { type MediaStreamTrack, useH264 } from './werift.ts'

type Codec = NonNullable<MediaStreamTrack['codec']>

/** Interop: werift sends H.264 only under the very profile and level of the source; decoders take what they are able to. */
export function sourceCodecOf(codec: Codec): Codec {
  return codec.mimeType.toLowerCase() === 'video/h264'
    ? useH264({ parameters: 'packetization-mode=1' })
    : codec
}
