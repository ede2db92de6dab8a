/** `application/trickle-ice-sdpfrag` (RFC 8840 §9): ICE credentials and candidates without the rest of a description. */

export interface SdpFragment {
  readonly ufrag: string
  readonly pwd: string
  /** `candidate:…`, as RTCIceCandidate has it. */
  readonly candidates: readonly string[]
  /** No more will come. */
  readonly isComplete: boolean
}

export const fragmentType = 'application/trickle-ice-sdpfrag'

/** Limit: candidates of one message. A host with many addresses and servers has some dozens. */
const maxCandidates = 100

/** All in one section, for everything is bundled. `mid` is that of the first section of the description. */
export function formatSdpFragment(
  { ufrag, pwd, candidates, isComplete }: SdpFragment,
  mid: string | undefined,
): string {
  const media =
    mid === undefined || (candidates.length === 0 && !isComplete)
      ? []
      : [
          'm=audio 9 RTP/AVP 0',
          `a=mid:${mid}`,
          ...candidates.map((candidate) => `a=${candidate}`),
          ...(isComplete ? ['a=end-of-candidates'] : []),
        ]
  return [`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, ...media, ''].join('\r\n')
}

/** A string says what is wrong with it, for the client's developer. */
export function parseSdpFragment(text: string): SdpFragment | string {
  const lines = text.split(/\r?\n/).filter((line) => line !== '')
  const odd = lines.find((line) => !/^[a-z]=/.test(line))
  if (odd !== undefined) return `${JSON.stringify(odd.slice(0, 40))} is not a line of SDP`
  const fragment = fragmentOf(text)
  if (fragment === undefined) return 'a=ice-ufrag or a=ice-pwd is missing'
  if (fragment.candidates.length > maxCandidates) return `more than ${maxCandidates} candidates`
  return fragment
}

/** What a description, or a fragment, says of ICE; undefined if it has no credentials as RFC 8839 §5.4 wants them. */
export function fragmentOf(sdp: string): SdpFragment | undefined {
  const ufrag = /^a=ice-ufrag:([A-Za-z0-9+/]{4,256})\r?$/m.exec(sdp)?.[1]
  const pwd = /^a=ice-pwd:([A-Za-z0-9+/]{22,256})\r?$/m.exec(sdp)?.[1]
  if (ufrag === undefined || pwd === undefined) return undefined
  const candidates = [...sdp.matchAll(/^a=(candidate:.*?)\r?$/gm)].map(([, candidate]) => candidate!)
  return {
    ufrag,
    pwd,
    candidates: [...new Set(candidates)],
    isComplete: /^a=end-of-candidates\r?$/m.test(sdp),
  }
}

/** The description with other credentials and candidates: what an ICE restart makes of it. */
export function withFragment(sdp: string, { ufrag, pwd, candidates, isComplete }: SdpFragment): string {
  const lines = [...candidates, ...(isComplete ? ['end-of-candidates'] : [])].map((line) => `a=${line}\r\n`)
  return sdp
    .replace(/^a=(?:candidate:|end-of-candidates).*\r?\n/gm, '')
    .replace(/^a=ice-ufrag:.*$/gm, () => `a=ice-ufrag:${ufrag}`)
    .replace(/^a=ice-pwd:.*$/gm, () => `a=ice-pwd:${pwd}`)
    .replace(/^a=mid:.*\r?\n/m, (mid) => mid + lines.join(''))
}

/** Whether it has what every description has; werift takes anything. */
export function isDescription(sdp: string): boolean {
  return /^v=0\r?\n/.test(sdp) && /^m=/m.test(sdp) && fragmentOf(sdp) !== undefined
}

export function firstMid(sdp: string): string | undefined {
  return /^a=mid:(\S+)/m.exec(sdp)?.[1]
}
