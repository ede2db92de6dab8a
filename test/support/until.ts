/** Waiting for the real world: until something holds, with patience for a slow machine. */

/** Limit: nothing on one machine takes so long; a test that comes here has failed. */
const patienceMs = 60_000
const pauseMs = 5

/** Asks again and again, at once at first. Rejects when the patience is at its end. */
export async function until(holds: () => boolean, what = 'what was waited for'): Promise<void> {
  const end = performance.now() + patienceMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what} has not come`)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
