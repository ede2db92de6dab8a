/** STUN and TURN URIs on the command line; the scheme may be left out. */

import { InvalidArgumentError } from 'commander'
import { parseServerUri, type ServerUri } from '../stun/uri.ts'

export const parseStunUri = parseAs('stun', ['stun'])
export const parseTurnUri = parseAs('turn', ['turn', 'turns'])
export const parseAnyUri = parseAs('stun', ['stun', 'stuns', 'turn', 'turns'])

/** For arguments that may be given several times: commander hands the ones before along. */
export function severalUris(parse: (text: string) => ServerUri) {
  return (text: string, previous: readonly ServerUri[] | undefined): readonly ServerUri[] => [
    ...(previous ?? []),
    parse(text),
  ]
}

function parseAs(
  scheme: 'stun' | 'turn',
  accepted: readonly ServerUri['scheme'][],
): (text: string) => ServerUri {
  return (text) => {
    try {
      const uri = parseServerUri(/^(stun|turn)s?:/i.test(text) ? text : `${scheme}:${text}`)
      if (accepted.includes(uri.scheme)) return uri
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
    }
    throw new InvalidArgumentError(
      `${JSON.stringify(text)}: write ${scheme}:example.org or ${scheme}:192.0.2.1:3478`,
    )
  }
}
