/**
 * The signaling server under 2,000 idle peers and 200 calls a second, on one core: how long a message takes from one
 * peer to the other. `npm run bench -- signaling`. Writes its section of bench/RESULTS.md.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SignalingClient } from '../../src/signaling/client.ts'
import { machine, table, writeSection } from '../support/results.ts'

const idlePeers = 2000
const callers = 100
const callsPerSecond = 200
const seconds = 20
/** What a call exchanges after it was accepted: two descriptions and some candidates each way. */
const sdp = 'v=0\r\n'.padEnd(4000, 'a=x\r\n')
const candidatesEachWay = 5

const script = fileURLToPath(new URL('server.ts', import.meta.url))
const server = spawn('taskset', ['-c', '0', process.execPath, script], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const [port] = await once(server.stdout!, 'data')
const url = `ws://127.0.0.1:${String(port).trim()}/signaling`
const clients: SignalingClient[] = []
const delays: number[] = []
let messages = 0

try {
  await openIdle()
  const pairs = await Promise.all(Array.from({ length: callers }, (_, i) => openPair(`pair ${i}`)))
  const before = cpuSeconds()
  await callFor(pairs)
  const busy = cpuSeconds() - before
  report(busy)
} finally {
  for (const client of clients) client.close()
  server.kill()
}

interface Pair {
  call(): void
}

function open(
  room: string,
  handlers: ConstructorParameters<typeof SignalingClient>[1],
): Promise<SignalingClient> {
  return new Promise((resolve, reject) => {
    const client: SignalingClient = new SignalingClient(
      { url, room },
      { ...handlers, joined: () => resolve(client), error: ({ message }) => reject(new Error(message)) },
    )
    clients.push(client)
  })
}

async function openIdle(): Promise<void> {
  for (let i = 0; i < idlePeers; i += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, j) => open(`idle ${(i + j) >> 1}`, {})))
  }
}

/** A caller and a callee. Every message says when it was sent, in the name of its reason or candidate. */
async function openPair(room: string): Promise<Pair> {
  const note = (sentAt: string) => {
    messages++
    delays.push(performance.now() - Number(sentAt))
  }
  const stamp = () => String(performance.now())
  const negotiate = (self: SignalingClient, to: string, type: 'offer' | 'answer') => {
    self.signal(to, { description: { type, sdp: `${stamp()}\n${sdp}` } })
    for (let i = 0; i < candidatesEachWay; i++) self.signal(to, { candidate: { candidate: stamp() } })
  }
  const noteData = (data: import('../../src/signaling/protocol.ts').SignalData) =>
    note('description' in data ? data.description.sdp.split('\n', 1)[0]! : data.candidate!.candidate)
  const callee: SignalingClient = await open(room, {
    message: (message) => {
      if (message.type === 'call') callee.accept(message.from)
      if (message.type !== 'signal') return
      noteData(message.data)
      if ('description' in message.data) negotiate(callee, message.from, 'answer')
    },
  })
  const caller: SignalingClient = await open(room, {
    message: (message) => {
      if (message.type === 'accept') negotiate(caller, message.from, 'offer')
      if (message.type === 'signal') noteData(message.data)
    },
  })
  return { call: () => caller.call(callee.id!) }
}

async function callFor(pairs: readonly Pair[]): Promise<void> {
  const start = performance.now()
  for (let made = 0; made < callsPerSecond * seconds; made++) {
    const dueIn = start + (made * 1000) / callsPerSecond - performance.now()
    if (dueIn > 0) await new Promise((resolve) => setTimeout(resolve, dueIn))
    pairs[made % pairs.length]!.call()
  }
  await new Promise((resolve) => setTimeout(resolve, 1000))
}

/** User and system time of the server's process so far. */
function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function report(busy: number): void {
  delays.sort((x, y) => x - y)
  const percentile = (p: number) => `${delays[Math.floor((delays.length - 1) * p)]!.toFixed(1)} ms`
  const memory = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1])
  const rows = [
    ['peers connected', `${clients.length}`],
    ['calls a second', `${callsPerSecond}`],
    ['messages timed', `${messages}`],
    ['delay, p50', percentile(0.5)],
    ['delay, p99', percentile(0.99)],
    ['delay, longest', percentile(1)],
    ['server: share of one core', `${((busy / (seconds + 1)) * 100).toFixed(0)} %`],
    ['server: memory', `${(memory / 1024).toFixed(0)} MB`],
  ]
  const expected = callsPerSecond * seconds * 2 * (1 + candidatesEachWay)
  if (messages !== expected) throw new Error(`${messages} messages of ${expected} arrived`)
  writeSection(
    'Signaling',
    `${table(['figure', 'value'], rows)}\n\nFrom one peer's send to the other's receipt, both in the load's process. ${machine()}.\n\`npm run bench -- signaling\`.`,
  )
  process.stdout.write(`${table(['figure', 'value'], rows)}\n`)
}
