/** One suite of behaviours over UDP, TCP and TLS: our client with our server in virtual time, with our server on sockets, and with coturn. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClientTransport } from '../../src/turn/socket-numbers.ts'
import { missingPrograms } from '../support/programs.ts'
import { type Behaviour, behaviours } from '../support/turn-behaviours.ts'
import { type Stage, type StageName, stages } from '../support/turn-stages.ts'

const transports: readonly ClientTransport[] = ['udp', 'tcp', 'tls']
const programs: Readonly<Record<StageName, string[]>> = {
  simulation: ['openssl'],
  turnpike: ['openssl'],
  coturn: ['turnserver', 'openssl'],
}

describe.each(Object.keys(stages) as StageName[])('The client with a server: %s', (name) => {
  const missing = missingPrograms(
    `the client with a server: ${name}`,
    programs[name],
    'apt-get install coturn openssl',
  )
  let stage: Stage

  beforeAll(async () => {
    if (missing.length === 0) stage = await stages[name]()
  })

  afterAll(() => stage?.close())

  describe.skipIf(missing.length > 0).each(transports)('over %s', (transport) => {
    const isPlayed = ({ except = {} }: Behaviour) =>
      [name, transport, `${name} by ${transport}` as const].every((where) => except[where] === undefined)
    const played = behaviours.filter(isPlayed)
    it.each(played)('$name', async (behaviour) => {
      if (behaviour.needsIPv6 && !stage.hasIPv6) return
      await behaviour.play(stage, transport)
    })
  })
})

it('what is not played somewhere has its reason', () => {
  for (const { name, except = {} } of behaviours) {
    for (const reason of Object.values(except)) expect(reason.length, name).toBeGreaterThan(5)
  }
})
