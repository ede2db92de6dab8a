/** Connects two agents of turnpike's on loopback, again and again; one line of JSON: milliseconds to each stage. */

import { setTimeout } from 'node:timers/promises'
import { minimumPacingMs } from '../../src/ice/pacer.ts'
import { openIce } from '../../src/net/ice/transport.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { report, type Sample } from './sample.ts'

/** Two machines: the agents of one share a pacer. */
const hosts = { a: new NodeHost(), b: new NodeHost() }
const interfaces = { loopback: true, allow: [] }

await report(async (): Promise<Sample> => {
  const marks: Record<string, number> = {}
  let start = 0
  const { promise: completed, resolve: complete } = Promise.withResolvers<void>()
  const { promise: gathered, resolve: gather } = Promise.withResolvers<void>()
  const open = (name: 'a' | 'b') =>
    openIce(
      hosts[name],
      { role: name === 'a' ? 'controlling' : 'controlled', interfaces, mdns: 'off' },
      {
        onEvent: (event) => {
          if (event.type === 'local-candidate') candidates[name].push(event.candidate)
          if (event.type === 'gathering' && event.state === 'complete') {
            marks[`${name} gathered`] = 0
            if ('a gathered' in marks && 'b gathered' in marks) gather()
          }
          if (event.type !== 'state') return
          marks[`${name} ${event.state}`] = performance.now() - start
          if ('a completed' in marks && 'b completed' in marks) complete()
        },
        onData: () => {},
      },
    )
  type Candidate = Parameters<ReturnType<typeof openIce>['addRemoteCandidate']>[0]
  const candidates: Record<'a' | 'b', Candidate[]> = { a: [], b: [] }
  const [a, b] = [open('a'), open('b')]
  a.gather()
  b.gather()
  await gathered
  start = performance.now()
  a.connect(b.localDescription)
  b.connect(a.localDescription)
  for (const candidate of candidates.b) a.addRemoteCandidate(candidate)
  for (const candidate of candidates.a) b.addRemoteCandidate(candidate)
  await completed
  a.close()
  b.close()
  // One after the other, not at once: agents that follow each other on a host share its Ta (docs/adr/0017).
  await setTimeout(2 * minimumPacingMs)
  return {
    // A side whose first valid pair is nominated at once is never 'connected' only.
    connected: Math.max(
      ...['a', 'b'].map((side) => marks[`${side} connected`] ?? marks[`${side} completed`]!),
    ),
    completed: Math.max(marks['a completed']!, marks['b completed']!),
  }
})
