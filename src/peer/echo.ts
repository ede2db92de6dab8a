/** Sends back what comes: each picture and sound on the very transceiver that it arrives by, each chat message. */

import type { PeerConnection } from './peer-connection.ts'
import { MediaStreamTrack, type RTCRtpTransceiver } from './werift.ts'

/** A picture that somebody has begun to watch appears with the next key frame: ask for one that often. */
const keyFrameMs = 2000

export interface Echo {
  close(): void
}

/** To be called before the offer is answered, so that the answer says that we send. */
export function echoMedia(connection: PeerConnection): Echo {
  const timers = new Set<NodeJS.Timeout>()
  const echoed = new WeakSet<RTCRtpTransceiver>()
  const echo = (transceiver: RTCRtpTransceiver) => {
    if (echoed.has(transceiver)) return
    echoed.add(transceiver)
    const back = new MediaStreamTrack({ kind: transceiver.kind })
    transceiver.setDirection('sendrecv')
    transceiver.sender.replaceTrack(back)
    transceiver.onTrack.subscribe((track) => {
      track.onReceiveRtp.subscribe((packet) => back.writeRtp(packet.clone()))
      if (track.kind !== 'video') return
      const ask = () => {
        if (track.ssrc !== undefined) transceiver.receiver.sendRtcpPLI(track.ssrc)
      }
      track.onReceiveRtp.once(ask)
      timers.add(setInterval(ask, keyFrameMs))
    })
  }
  connection.onTransceiverAdded.subscribe(echo)
  for (const transceiver of connection.getTransceivers()) echo(transceiver)
  return {
    close: () => {
      for (const timer of timers) clearInterval(timer)
    },
  }
}
