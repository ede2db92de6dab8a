/** Libraries that take an `RTCPeerConnection` take ours: simple-peer, by its `wrtc` option. */

import SimplePeer, { type Instance, type SignalData } from 'simple-peer'
import { describe, expect, it } from 'vitest'
import { RTCPeerConnection, RTCSessionDescription as WeriftDescription } from 'werift'
import { PeerConnection, RTCIceCandidate, RTCSessionDescription } from '../../src/peer/index.ts'

const ours = { RTCPeerConnection: PeerConnection, RTCSessionDescription, RTCIceCandidate }

describe('simple-peer on our PeerConnection', { timeout: 120_000 }, () => {
  it.each([
    ['trickling', true],
    ['with all candidates in the description', false],
  ])('connects and carries data both ways, %s', async (_name, trickle) => {
    const [ann, bob] = [makePeer(true, trickle), makePeer(false, trickle)]
    const [toAnn, toBob] = [collect(ann), collect(bob)]
    introduce(ann, bob)
    await Promise.all([happens(ann, 'connect'), happens(bob, 'connect')])
    // A data channel has carried something only when the peer says what.
    ann.send('hello Bob')
    bob.send('hello Ann')
    await expect.poll(() => toBob.join(''), { timeout: 60_000 }).toBe('hello Bob')
    await expect.poll(() => toAnn.join(''), { timeout: 60_000 }).toBe('hello Ann')
    bob.send(Buffer.alloc(60_000, 'x'))
    await expect.poll(() => toAnn.join('').length, { timeout: 60_000 }).toBe(60_009)
    // From our statistics, by the names of W3C.
    const [local, remote] = [bob, ann].map((peer) => peer as unknown as Record<string, unknown>)
    expect(remote!.remotePort).toBeGreaterThan(0)
    expect(remote!.remotePort).toBe(local!.localPort)
    expect(remote!.remoteAddress).toBe(local!.localAddress)
    const closed = happens(bob, 'close')
    ann.destroy()
    await closed
  })

  it('does not on werift alone, which is why createOffer and getStats are ours', async () => {
    const offer = await new RTCPeerConnection({ iceServers: [] }).createOffer()
    expect(offer).toBeInstanceOf(WeriftDescription)
    expect(() => Object.assign(offer, { sdp: '' })).toThrow(TypeError)
    expect(RTCPeerConnection.prototype.getStats).toHaveLength(1)
    expect(PeerConnection.prototype.getStats).toHaveLength(0)
  })
})

function makePeer(initiator: boolean, trickle: boolean): Instance {
  return new SimplePeer({ initiator, trickle, wrtc: ours, config: { iceServers: [] } })
}

/** As JSON, which is how signals travel. */
function introduce(ann: Instance, bob: Instance): void {
  ann.on('signal', (data) => bob.signal(JSON.parse(JSON.stringify(data)) as SignalData))
  bob.on('signal', (data) => ann.signal(JSON.parse(JSON.stringify(data)) as SignalData))
}

function happens(peer: Instance, event: 'connect' | 'close'): Promise<void> {
  return new Promise((resolve, reject) => {
    peer.once(event, () => resolve())
    peer.once('error', reject)
  })
}

/** What has come, as one stream of text. */
function collect(peer: Instance): string[] {
  const parts: string[] = []
  peer.on('data', (data) => parts.push(String(data)))
  return parts
}
