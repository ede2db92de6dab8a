/** The peer that answers in the room `demo` of `serve --dev`: one tab is enough to see it all work. */

import type { TransportAddress } from '../core/transport-address.ts'
import { HeadlessPeer } from '../peer/headless-peer.ts'
import { signalingPath } from '../signaling/site.ts'

export const demoRoom = 'demo'

/** Joins, answers every call, and sends back picture, sound and chat. */
export function startDemoPeer(site: TransportAddress): Promise<HeadlessPeer> {
  return HeadlessPeer.join({
    url: `ws://${site}${signalingPath}`,
    room: demoRoom,
    name: 'echo (a test peer)',
    onCall: (incoming) => {
      const call = incoming.accept({ echo: true })
      call.say('hello! I send back what you send.')
    },
  })
}
