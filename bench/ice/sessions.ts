/**
 * Ten thousand sessions in simulated time, both ends of each: what an agent costs in memory, and in processor time when it
 * has nothing to do but to keep consent fresh. One line of JSON.
 */

import { Deadlines, type Expiring, unscheduled } from '../../src/core/deadlines.ts'
import { datagramOf, socketId } from '../../src/core/sans-io.ts'
import { type Instant, instant, later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { IceAgent } from '../../src/ice/agent.ts'
import type { CandidateDescription } from '../../src/ice/candidate.ts'
import { nodeRandom } from '../../src/net/node-host.ts'

const sessions = 10_000
const simulatedSeconds = 60
const oneWayMs = 20

class End implements Expiring {
  deadline: Instant = instant(0)
  heapIndex = unscheduled
  readonly agent: IceAgent
  readonly address: TransportAddress
  other!: End
  readonly candidates: CandidateDescription[] = []

  constructor(role: 'controlling' | 'controlled', address: TransportAddress) {
    this.agent = new IceAgent({ role }, nodeRandom)
    this.address = address
  }
}

class Delivery implements Expiring {
  deadline: Instant = instant(0)
  heapIndex = unscheduled
  readonly to: End
  readonly bytes: Uint8Array

  constructor(to: End, bytes: Uint8Array) {
    this.to = to
    this.bytes = bytes
  }
}

const socket = socketId(1)
const queue = new Deadlines<End | Delivery>()
let now = instant(0)
let packets = 0

function drain(end: End): void {
  for (let output = end.agent.poll(); output !== undefined; output = end.agent.poll()) {
    if (output.type === 'transmit') {
      packets++
      queue.schedule(new Delivery(end.other, output.bytes), later(now, oneWayMs))
    } else if (output.type === 'local-candidate') end.candidates.push(output.candidate)
  }
  const due = end.agent.pollTimeout()
  if (due === undefined) queue.cancel(end)
  else queue.schedule(end, due)
}

function run(until: Instant): void {
  while (queue.next !== undefined && queue.next <= until) {
    now = instant(Math.max(now, queue.next))
    const due = queue.takeDue(now)!
    if (due instanceof Delivery) {
      due.to.agent.handleDatagram(datagramOf(socket, due.to.other.address, due.bytes), now)
      drain(due.to)
    } else {
      due.agent.handleTimeout(now)
      drain(due)
    }
  }
  now = until
}

function connect(index: number): [End, End] {
  const port = 1 + (index % 60_000)
  const a = new End('controlling', TransportAddress.of('192.0.2.1', port))
  const b = new End('controlled', TransportAddress.of('198.51.100.1', port))
  a.other = b
  b.other = a
  for (const end of [a, b]) {
    end.agent.addLocalCandidate({ type: 'host', socket, address: end.address }, now)
    drain(end)
  }
  for (const end of [a, b]) {
    end.agent.setRemoteDescription(end.other.agent.localDescription, now)
    for (const candidate of end.other.candidates) end.agent.addRemoteCandidate(candidate, now)
    end.other.candidates.length = 0
    drain(end)
  }
  return [a, b]
}

// Warm up, so that compiled code is no part of the memory measured.
const warmUp = Array.from({ length: 500 }, (_, i) => connect(i)).flat()
run(later(now, 10_000))
for (const end of warmUp.splice(0)) {
  end.agent.close()
  drain(end)
}
globalThis.gc?.()
const before = process.memoryUsage()
const ends: End[] = []
for (let i = 0; i < sessions; i++) {
  ends.push(...connect(i))
  // Sessions begin at different times, and so do their consent checks.
  run(later(now, 0.5))
}
run(later(now, 10_000))
const connected = ends.filter(({ agent }) => agent.state === 'completed').length
globalThis.gc?.()
const after = process.memoryUsage()

packets = 0
const cpu = process.cpuUsage()
run(later(now, simulatedSeconds * 1000))
const { user, system } = process.cpuUsage(cpu)
const cpuSeconds = (user + system) / 1e6
const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
process.stdout.write(
  `${JSON.stringify({
    sessions,
    connected,
    bytesPerAgent: Math.round(bytes / ends.length),
    cpuPerSecond: cpuSeconds / simulatedSeconds,
    packetsPerSecond: packets / simulatedSeconds,
    agentsPerCore: Math.round(ends.length / (cpuSeconds / simulatedSeconds)),
  })}\n`,
)
