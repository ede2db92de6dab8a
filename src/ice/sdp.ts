/**
 * The ICE attributes of a session description (RFC 8839 §5, RFC 8840 §8.2): of one media section, with the session's own
 * as defaults. Other lines are not looked at.
 */

import type { CandidateDescription } from './candidate.ts'
import { type CandidateFault, formatCandidate, parseCandidate } from './candidate-line.ts'
import type { IceDescription } from './credentials.ts'

/** What a media section says of ICE. */
export interface IceAttributes extends IceDescription {
  readonly candidates: readonly CandidateDescription[]
  readonly endOfCandidates: boolean
  /** The answerer has found that the default destination is none of our candidates (RFC 8839 §5.3): no ICE then. */
  readonly mismatch: boolean
  /** What a controlling agent has selected, in an updated offer (RFC 8839 §5.2). */
  readonly remoteCandidates: readonly RemoteCandidateReference[]
  /** Lines that have been left out, and why; the rest stands. */
  readonly ignored: readonly { readonly line: string; readonly reason: CandidateFault | 'bad-value' }[]
}

export interface RemoteCandidateReference {
  readonly component: number
  readonly address: string
  readonly port: number
}

/** There is no usable fragment and password, without which there is no ICE. */
export type IceAttributesFault = 'no-credentials' | 'bad-credentials'

const iceText = /^[A-Za-z0-9+/]+$/

/**
 * Reads the lines of a session, as far as its first `m=` line, and those of one media section. Either may be empty; text or
 * lines, with or without CR.
 */
export function parseIceAttributes(session: string, media: string): IceAttributes | IceAttributesFault {
  const sessionLines = attributeLines(session)
  const mediaLines = attributeLines(media)
  // RFC 8839 §5.4: what the media section says takes precedence.
  const find = (name: string) => valueOfAttribute(mediaLines, name) ?? valueOfAttribute(sessionLines, name)
  const ufrag = find('ice-ufrag')
  const pwd = find('ice-pwd')
  if (ufrag === undefined || pwd === undefined) return 'no-credentials'
  if (!isIceText(ufrag, 4) || !isIceText(pwd, 22)) return 'bad-credentials'
  const ignored: { line: string; reason: CandidateFault | 'bad-value' }[] = []
  const candidates: CandidateDescription[] = []
  for (const line of mediaLines) {
    if (!line.startsWith('candidate:')) continue
    const candidate = parseCandidate(line)
    if (typeof candidate === 'string') ignored.push({ line, reason: candidate })
    else candidates.push(candidate)
  }
  const pacing = find('ice-pacing')
  const hasPacing = pacing !== undefined && /^\d{1,10}$/.test(pacing)
  if (pacing !== undefined && !hasPacing) ignored.push({ line: `ice-pacing:${pacing}`, reason: 'bad-value' })
  return {
    ufrag,
    pwd,
    lite: sessionLines.includes('ice-lite') || mediaLines.includes('ice-lite'),
    options: [...new Set([...optionsOf(sessionLines), ...optionsOf(mediaLines)])],
    pacingMs: hasPacing ? Number(pacing) : undefined,
    candidates,
    endOfCandidates: mediaLines.includes('end-of-candidates') || sessionLines.includes('end-of-candidates'),
    mismatch: mediaLines.includes('ice-mismatch'),
    remoteCandidates: remoteCandidatesOf(valueOfAttribute(mediaLines, 'remote-candidates')),
    ignored,
  }
}

export interface FormatOptions {
  readonly candidates?: readonly CandidateDescription[]
  readonly endOfCandidates?: boolean
  readonly mismatch?: boolean
  readonly remoteCandidates?: readonly RemoteCandidateReference[]
}

/** The lines of a description: those that belong to the session, and those of a media section, each with its `a=`. */
export function formatIceAttributes(
  description: IceDescription,
  { candidates = [], endOfCandidates = false, mismatch = false, remoteCandidates = [] }: FormatOptions = {},
): { readonly session: readonly string[]; readonly media: readonly string[] } {
  const { ufrag, pwd, lite, options, pacingMs } = description
  const session = [
    ...(lite === true ? ['a=ice-lite'] : []),
    ...(pacingMs === undefined ? [] : [`a=ice-pacing:${pacingMs}`]),
  ]
  const media = [
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    ...(options === undefined || options.length === 0 ? [] : [`a=ice-options:${options.join(' ')}`]),
    ...(mismatch ? ['a=ice-mismatch'] : []),
    ...candidates.map((candidate) => `a=${formatCandidate(candidate)}`),
    ...(remoteCandidates.length === 0
      ? []
      : [
          `a=remote-candidates:${remoteCandidates
            .map(({ component, address, port }) => `${component} ${address} ${port}`)
            .join(' ')}`,
        ]),
    ...(endOfCandidates ? ['a=end-of-candidates'] : []),
  ]
  return { session, media }
}

/** The attributes without their `a=`. */
function attributeLines(text: string): string[] {
  return text
    .split(/\r\n|\n|\r/)
    .filter((line) => line.startsWith('a='))
    .map((line) => line.slice(2).trim())
}

function valueOfAttribute(lines: readonly string[], name: string): string | undefined {
  return lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1)
}

function optionsOf(lines: readonly string[]): string[] {
  return (valueOfAttribute(lines, 'ice-options') ?? '').split(/ +/).filter((tag) => tag !== '')
}

/** 256 characters are to be accepted (RFC 8839 §5.4). */
function isIceText(text: string, minimum: number): boolean {
  return text.length >= minimum && text.length <= 256 && iceText.test(text)
}

function remoteCandidatesOf(value: string | undefined): RemoteCandidateReference[] {
  const words = (value ?? '').split(/ +/).filter((word) => word !== '')
  const found: RemoteCandidateReference[] = []
  for (let i = 0; i + 2 < words.length; i += 3) {
    const component = Number(words[i])
    const port = Number(words[i + 2])
    if (Number.isInteger(component) && Number.isInteger(port))
      found.push({ component, address: words[i + 1]!, port })
  }
  return found
}
