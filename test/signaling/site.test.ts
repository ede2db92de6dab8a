import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { SignalingClient } from '../../src/signaling/client.ts'
import type { Joined } from '../../src/signaling/protocol.ts'
import { openSite, type Site } from '../../src/signaling/site.ts'
import { parseTimeLimitedName } from '../../src/turn/shared-secret.ts'

const host = new NodeHost()
const loopback = TransportAddress.of('127.0.0.1', 0)
let folder: string
let site: Site

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'turnpike-site-'))
  writeFileSync(join(folder, 'index.html'), '<!doctype html>')
  site = await openSite(
    {
      address: loopback,
      secret: 's',
      iceUrls: ['stun:h', 'turn:h'],
      credentialSeconds: 600,
      key: 'key',
      files: folder,
    },
    host,
  )
})

afterEach(async () => {
  await site.close()
  rmSync(folder, { recursive: true })
})

/** Not by fetch, which tidies paths before it asks. */
function get(
  path: string,
  method = 'GET',
): Promise<{ status: number | undefined; body: string; csp: unknown }> {
  return new Promise((resolve, reject) => {
    request({ host: site.address.ip, port: site.address.port, path, method }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode, body, csp: response.headers['content-security-policy'] }),
      )
    })
      .on('error', reject)
      .end()
  })
}

describe('the site', () => {
  it('serves the files of its folder, and lets them load nothing from elsewhere', async () => {
    const { status, body, csp } = await get('/?room=demo')
    expect([status, body]).toEqual([200, '<!doctype html>'])
    expect(csp).toContain("default-src 'self'")
  })

  it.each([
    '/../package.json',
    '/%2e%2e/package.json',
    '/..%2f..%2fetc/passwd',
    '/%00',
    '/%zz',
    '/nothing',
    '//etc/passwd',
  ])('has nothing at %s', async (path) => {
    expect((await get(path)).status).toBe(404)
  })

  it('takes no other method', async () => {
    expect((await get('/', 'POST')).status).toBe(405)
  })

  it('tells a peer of TURN with credentials that were minted for it', async () => {
    const url = `ws://${site.address}/signaling`
    const joined = await new Promise<Joined>((resolve, reject) => {
      const client: SignalingClient = new SignalingClient(
        { url, room: 'r', token: 'key' },
        {
          joined: (message) => {
            client.close()
            resolve(message)
          },
          error: ({ message }) => reject(new Error(message)),
        },
      )
    })
    const [stun, turn] = joined.iceServers
    expect(stun).toEqual({ urls: ['stun:h'] })
    expect(turn?.urls).toEqual(['turn:h'])
    const [expiry, user] = turn?.username?.split(':') ?? []
    expect(user).toBe(joined.id)
    expect(Number(expiry) - host.clock.epochSeconds()).toBeGreaterThan(590)
  })

  it('counts all who join without a key as one user, so that joining again brings no new quota', async () => {
    const open = await openSite(
      { address: loopback, secret: 's', iceUrls: ['turn:h'], credentialSeconds: 600, key: undefined },
      host,
    )
    const names: string[] = []
    for (const room of ['a', 'a', 'b']) {
      await new Promise<void>((resolve, reject) => {
        const client: SignalingClient = new SignalingClient(
          { url: `ws://${open.address}/signaling`, room },
          {
            joined: ({ iceServers }) => {
              client.close()
              names.push(iceServers[0]?.username ?? '')
              resolve()
            },
            error: ({ message }) => reject(new Error(message)),
          },
        )
      })
    }
    await open.close()
    expect(new Set(names.map((name) => parseTimeLimitedName(name)?.userId))).toEqual(new Set(['anonymous']))
  })

  it('says which address it cannot have', async () => {
    const again = openSite(
      { address: site.address, secret: 's', iceUrls: [], credentialSeconds: 600, key: undefined },
      host,
    )
    await expect(again).rejects.toThrow(`cannot serve signaling on ${site.address} (EADDRINUSE)`)
  })
})
