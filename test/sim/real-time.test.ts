import { expect, test } from 'vitest'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

test('runs along with the real clock, so that programs with timers of their own see it pass', async () => {
  const internet = new Internet({ seed: 1, link: { delayMs: 2 } })
  const [x, y] = [
    new ProbeSocket(internet.host(), { port: 1 }),
    new ProbeSocket(internet.host(), { port: 2 }),
  ]
  const stop = internet.runInRealTime()
  const start = performance.now()
  await until(() => y.local !== undefined)
  for (let i = 0; i < 5; i++) {
    x.send(`${i}`, y.local!)
    await until(() => y.texts.length === i + 1)
  }
  const took = performance.now() - start
  stop()
  // Never faster than the lines; how much slower is the machine's business.
  expect(took).toBeGreaterThanOrEqual(20)
  const now = internet.now
  x.send('late', y.local!)
  await new Promise((resolve) => setTimeout(resolve, 10))
  expect(internet.now).toBe(now)
  internet.run()
  expect(y.texts).toEqual(['0', '1', '2', '3', '4', 'late'])
})

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
}
