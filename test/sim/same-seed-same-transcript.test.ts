import { expect, test } from 'vitest'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

/** Two hosts behind lossy lines that throw a ball. */
function play(seed: number): { hash: string; thrown: number } {
  const internet = new Internet({ seed, link: { delayMs: 5, jitterMs: 3, loss: 0.05, duplicate: 0.05 } })
  const server = new ProbeSocket(internet.host(), { port: 1000 })
  const client = new ProbeSocket(internet.nat({ ports: 'random' }).host())
  internet.run()
  for (let i = 0; i < 50; i++) internet.at(i * 10, () => client.send(`${i}`, server.local!))
  internet.run({ for: 1000 })
  return { hash: internet.transcriptHash, thrown: server.arrived.length }
}

test('the same seed gives the same transcript', () => {
  expect(play(1)).toEqual(play(1))
})

test('another seed gives another', () => {
  expect(play(1).hash).not.toBe(play(2).hash)
})
