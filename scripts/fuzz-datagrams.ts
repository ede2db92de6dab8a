/** `npm run fuzz:datagrams`: millions of datagrams against a server in a process of its own; ends with 1 if it suffers. */

import { parseArgs } from 'node:util'
import type { IoName } from '../src/server/io-config.ts'
import { fuzzDatagrams } from '../test/support/datagram-fuzz.ts'

const { values } = parseArgs({
  options: {
    datagrams: { type: 'string', default: '10000000' },
    seed: { type: 'string', default: `${Date.now() % 1e6}` },
    io: { type: 'string', default: 'mmsg' },
    workers: { type: 'string', default: '1' },
  },
})
const datagrams = Number(values.datagrams)
let told = 0
const report = await fuzzDatagrams({
  datagrams,
  seed: Number(values.seed),
  io: values.io as IoName,
  workers: Number(values.workers),
  reserves: true,
  progress: (done) => {
    if (done - told < 500_000) return
    told = done
    process.stderr.write(`${(done / 1e6).toFixed(1)} million\n`)
  },
})
const { sent, handled, counters, seconds, descriptors, rss, exitCode } = report
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
process.stdout.write(
  [
    `${sent} datagrams from seed ${values.seed} over ${values.io} with ${values.workers} workers in ${seconds.toFixed(0)} s`,
    `${handled} answered, relayed or dropped with a reason; ${counters.allocationsCreated} allocations`,
    `descriptors ${descriptors.before} before, ${descriptors.after} after; RSS ${megabytes(rss.before)} MB before, ${megabytes(rss.after)} MB after`,
    `the server ended with ${exitCode}`,
    '',
  ].join('\n'),
)
if (exitCode !== 0 || descriptors.after > descriptors.before) process.exitCode = 1
