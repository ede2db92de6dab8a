/**
 * node-datachannel (libdatachannel, libjuice) as an ICE peer, driven by lines of JSON on stdin: see
 * test/support/ice-peer.ts. Its ICE is to be had with DTLS only: what it sends as data is its ClientHello.
 */

import { createInterface } from 'node:readline'
import { PeerConnection } from 'node-datachannel'

const config = JSON.parse(process.argv[2]!)
const tell = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`)
const isControlling = config.role === 'controlling'
const { turn } = config

function open(): PeerConnection {
  const peer = new PeerConnection('peer', {
    iceServers: turn
      ? [
          {
            hostname: turn.host,
            port: turn.port,
            username: turn.username,
            password: turn.password,
            relayType: 'TurnUdp',
          },
        ]
      : [],
    iceTransportPolicy: turn ? 'relay' : 'all',
    bindAddress: config.address,
  })
  peer.onIceStateChange((state) => tell({ event: 'state', state }))
  peer.onLocalDescription((sdp) => {
    const value = (name: string) => new RegExp(`^a=${name}:(.*?)\\r?$`, 'm').exec(sdp)?.[1]
    tell({ event: 'description', ufrag: value('ice-ufrag'), pwd: value('ice-pwd') })
  })
  peer.onLocalCandidate((candidate) => tell({ event: 'candidate', candidate: candidate.replace(/^a=/, '') }))
  peer.onGatheringStateChange((state) => {
    if (state === 'complete') tell({ event: 'gathered' })
  })
  if (isControlling) peer.createDataChannel('x')
  return peer
}

// libjuice knows no restart: another connection takes over, and the old one answers until the end.
const peers = [open()]

function describe({ ufrag, pwd }: { ufrag: string; pwd: string }): string {
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    ...(config.remoteLite === true ? ['a=ice-lite'] : []),
    'a=group:BUNDLE 0',
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    'a=mid:0',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${pwd}`,
    'a=ice-options:trickle',
    `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
    `a=setup:${isControlling ? 'passive' : 'actpass'}`,
    'a=sctp-port:5000',
    '',
  ].join('\r\n')
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line)
    const peer = peers.at(-1)!
    if (command.command === 'restart') peers.push(open())
    else if (command.command === 'remote') {
      peer.setRemoteDescription(describe(command), isControlling ? 'answer' : 'offer')
    } else if (command.command === 'candidate') peer.addRemoteCandidate(command.candidate, '0')
  })
  .on('close', () => process.exit(0))
