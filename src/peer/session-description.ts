/** W3C's RTCSessionDescription: made of what was signalled, and open to editing until it is set. */

import { WeriftSessionDescription } from './werift.ts'

type SdpType = WeriftSessionDescription['type']

export class RTCSessionDescription extends WeriftSessionDescription {
  constructor({ type, sdp }: { readonly type: SdpType; readonly sdp: string }) {
    super(sdp, type)
    Object.defineProperty(this, 'type', { value: type, writable: true, enumerable: true })
    Object.defineProperty(this, 'sdp', { value: sdp, writable: true, enumerable: true })
  }

  toJSON(): { type: SdpType; sdp: string } {
    return { type: this.type, sdp: this.sdp }
  }
}
