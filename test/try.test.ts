import { test } from 'vitest'
import type { Dependency } from '../src/sim/filter.ts'
import { connectGathered, IceWorld } from './support/ice-world.ts'

const D: Dependency[] = ['endpoint-independent', 'address-dependent', 'address-and-port-dependent']
const kinds = ['OPEN', 'FW', ...D.flatMap((_, m) => D.map((_, f) => `${m}${f}`))]
const table = `
HH HS HS HS HS HP HP HP HP HP HP
SH SS SS SS SS R R R R R R
SH SS SS SS SS SP SP SP SP SP SP
SH SS SS SS SS SP SP SP SP SP SP
SH SS SS SS SS R R R R R R
PH R PS PS R PP PP R PP PP R
PH R PS PS R PP R R PP R R
PH R PS PS R R R R R R R
PH R PS PS R PP PP R R R R
PH R PS PS R PP R R PP R R
PH R PS PS R R R R R R R`
  .trim()
  .split('\n')
  .map((l) => l.split(' '))
for (const relay of [false, true])
  test(`matrix ${relay}`, async () => {
    const t0 = performance.now()
    const out: string[] = []
    const notes: string[] = []
    for (const [i, x] of kinds.entries()) {
      const row: string[] = []
      for (const [j, y] of kinds.entries()) {
        const world = new IceWorld()
        await world.startServer()
        const place = (k: string) =>
          k === 'OPEN'
            ? world.internet
            : k === 'FW'
              ? world.internet.firewall()
              : world.internet.nat({ mapping: D[+k[0]!]!, filtering: D[+k[1]!]!, ports: 'random' })
        const a = world.side('controlling', place(x).host(), { relay })
        const b = world.side('controlled', place(y).host(), { relay })
        const start = connectGathered(a, b)
        world.internet.run({ for: 3000 })
        const w = a.winner
        row.push(w)
        const exp = table[i]![j]!
        const norm = w === 'none' ? 'R' : w
        const wb = b.winner === 'none' ? 'R' : b.winner
        const times = [a, b].flatMap((s) => [
          s.firstPathAt === undefined ? NaN : s.firstPathAt - start,
          s.selectedAt === undefined ? NaN : s.selectedAt - start,
        ])
        if (exp !== 'R' && norm !== exp) notes.push(`${x}x${y} expected ${exp} got ${w} / ${wb} ${times}`)
        else if (exp === 'R') notes.push(`${x}x${y} R: ${w} / ${wb} ${times}`)
        else if (times.some((t) => t > 81))
          notes.push(`${x}x${y} ${w} late: a ${times[0]} ${times[1]} b ${times[2]} ${times[3]}`)
        a.transport.close()
        b.transport.close()
        world.server!.close()
      }
      out.push(`${x.padEnd(5)} ${row.join(' ')}`)
    }
    console.log(out.join('\n'))
    console.log(notes.join('\n'))
    console.log(performance.now() - t0)
  }, 100000)
