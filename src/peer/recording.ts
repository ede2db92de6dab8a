/** Writes what a peer sends to a WebM file, as it comes: VP8, VP9, H.264 or AV1 with Opus. */

import { MediaRecorder, type MediaStreamTrack } from './werift.ts'

export interface Recording {
  add(track: MediaStreamTrack): void
  /** Resolves when the file is complete. With nothing recorded there is no file. */
  close(): Promise<void>
}

/** `tracks` is how many will come: the file begins when they all have. */
export function record(path: string, tracks: number): Recording {
  const recorder = new MediaRecorder({ path, numOfTracks: tracks })
  let added = 0
  return {
    add: (track) => {
      if (added++ < tracks) recorder.addTrack(track).catch(() => {})
    },
    close: async () => {
      if (added > 0) await recorder.stop()
    },
  }
}
