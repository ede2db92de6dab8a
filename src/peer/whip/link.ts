/** STUN and TURN servers in `Link` header fields (RFC 9725 §4.6, RFC 8288). */

import type { IceServer } from '../../signaling/protocol.ts'

/** One value for each URI; several make one field each, or one with commas between them. */
export function formatIceServers(servers: readonly IceServer[]): string[] {
  return servers.flatMap(({ urls, username, credential }) =>
    urls.map((url) => {
      const login =
        username === undefined || credential === undefined
          ? ''
          : `; username=${quote(username)}; credential=${quote(credential)}; credential-type="password"`
      return `<${url}>; rel="ice-server"${login}`
    }),
  )
}

/** Links of other relations, and what is no link, are left out. */
export function parseIceServers(header: string | null): IceServer[] {
  const servers: IceServer[] = []
  for (const [, url, parameters] of (header ?? '').matchAll(linkPattern)) {
    const fields = new Map(
      [...parameters!.matchAll(parameterPattern)].map(([, name, quoted, token]) => [
        name!.toLowerCase(),
        quoted === undefined ? token! : quoted.replace(/\\(.)/g, '$1'),
      ]),
    )
    if (fields.get('rel') !== 'ice-server' || !/^(?:stun|turn)s?:/.test(url!)) continue
    const [username, credential] = [fields.get('username'), fields.get('credential')]
    const isPassword = (fields.get('credential-type') ?? 'password') === 'password'
    if (username !== undefined && credential !== undefined && isPassword) {
      servers.push({ urls: [url!], username, credential })
    } else if (url!.startsWith('stun')) servers.push({ urls: [url!] })
  }
  return servers
}

/** A target in brackets, and parameters whose quoted values may hold commas and semicolons. */
const linkPattern = /<([^<>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]*))*)/g
const parameterPattern = /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))/g

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}
