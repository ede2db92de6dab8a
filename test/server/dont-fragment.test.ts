/** DONT-FRAGMENT through a whole server, where packets may not fit the link: loopback with an MTU of 1,500. */

import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { missingNamespaces, runInNamespace } from '../support/network-namespace.ts'

const missing = missingNamespaces('DONT-FRAGMENT with a small MTU')

describe.skipIf(missing !== undefined)('A server whose link takes 1,500 bytes', () => {
  it('cuts what is longer, and what is not to be cut it refuses with an ICMP error', () => {
    const script = fileURLToPath(new URL('dont-fragment.ts', import.meta.url))
    expect(runInNamespace(script, 1500)).toEqual({
      arrived: [1000, 2000, 2001],
      icmp: { type: 3, code: 4, data: 1500 },
    })
  })
})
