/** coturn's `turnutils_uclient`, and a mishap of its own. */

import type { Ended } from './programs.ts'

/** What the client says when it has drawn one channel number twice: it draws 2 to 26 of 16,384. */
export const ownCollision = 'channel bind: error 400'

/** Limit: two collisions in 10,000 runs of most clients; five in a row are none. */
const attempts = 5

/** Runs the client, and again where it has drawn a channel number twice, and so ended itself. */
export async function withoutCollision(run: () => Promise<Ended>): Promise<Ended> {
  for (let attempt = 1; ; attempt++) {
    const ended = await run()
    const isCollision = ended.code === 255 && ended.output.includes(ownCollision)
    if (!isCollision || attempt === attempts) return ended
  }
}
