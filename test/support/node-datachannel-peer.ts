/**
 * A peer of another make, as a process of its own: node-datachannel (libdatachannel) in a room of our signaling server.
 * `call` calls the first peer that it finds, sends video packets and a chat message; `answer` accepts, and echoes the chat.
 * What it hears it tells as lines of JSON. It ends with its stdin.
 */

import { type DataChannel, PeerConnection, Video } from 'node-datachannel'
import { SignalingClient } from '../../src/signaling/client.ts'
import type { Description } from '../../src/signaling/protocol.ts'

const [url, role] = process.argv.slice(2) as [string, 'call' | 'answer']
const isCaller = role === 'call'
const tell = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`)
process.stdin.on('end', () => process.exit()).resume()

let other = ''
let packets = 0
const peer = new PeerConnection('peer', { iceServers: [] })
const signaling = new SignalingClient(
  { url, room: 'r', name: 'libdatachannel' },
  {
    joined: ({ peers: [first] }) => {
      tell({ event: 'joined' })
      if (isCaller && first !== undefined) signaling.call(first.id)
    },
    message: (message) => {
      other = message.from
      if (message.type === 'call') signaling.accept(other)
      else if (message.type === 'accept') offer()
      else if (message.type === 'signal') take(message.data)
    },
  },
)

// Before anything else: descriptions are made by its own threads.
peer.onLocalDescription((sdp, type) =>
  signaling.signal(other, { description: { type: type as Description['type'], sdp } }),
)
peer.onLocalCandidate((candidate, sdpMid) => signaling.signal(other, { candidate: { candidate, sdpMid } }))
peer.onStateChange((state) => tell({ event: 'state', state }))
peer.onDataChannel((channel) => listen(channel))
peer.onTrack((track) => track.onMessage(count))

type Data = Parameters<SignalingClient['signal']>[1]

function take(data: Data): void {
  if ('description' in data) peer.setRemoteDescription(data.description.sdp, data.description.type as never)
  else if (data.candidate !== null) {
    peer.addRemoteCandidate(data.candidate.candidate, data.candidate.sdpMid ?? '0')
  }
}

function offer(): void {
  const video = new Video('video', 'SendRecv')
  video.addVP8Codec(96)
  video.addSSRC(42, 'name', 'stream', 'track')
  const track = peer.addTrack(video)
  track.onMessage(count)
  track.onOpen(() => {
    let sequence = 0
    setInterval(() => {
      if (track.isOpen()) track.sendMessageBinary(rtpPacket(sequence++))
    }, 20)
  })
  const channel = peer.createDataChannel('chat')
  listen(channel)
  channel.onOpen(() => channel.sendMessage('hello from libdatachannel'))
}

function listen(channel: DataChannel): void {
  channel.onMessage((data) => {
    tell({ event: 'message', text: String(data) })
    if (!isCaller) channel.sendMessage(`back: ${data}`)
  })
}

function count(packet: Buffer): void {
  // RTCP comes by the same way (RFC 5761 §4).
  const type = packet[1]! & 0x7f
  if (type < 64 || type > 95) tell({ event: 'rtp', packets: ++packets })
}

function rtpPacket(sequence: number): Buffer {
  const packet = Buffer.alloc(32)
  packet[0] = 0x80
  packet[1] = 96
  packet.writeUInt16BE(sequence & 0xffff, 2)
  packet.writeUInt32BE(sequence * 1800, 4)
  packet.writeUInt32BE(42, 8)
  return packet
}
