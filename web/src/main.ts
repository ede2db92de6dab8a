/** The page: shows what happens in the room, and hands on what people do. */

import type { PeerSummary } from '../../src/signaling/protocol.ts'
import { elements, make } from './elements.ts'
import { PathReader } from './path.ts'
import { drawPath } from './path-drawing.ts'
import { nameOf, type Phase, Room } from './room.ts'

const readPathEveryMs = 1000

let room: Room | undefined
let pathTimer: ReturnType<typeof setInterval> | undefined

const query = new URLSearchParams(location.search)
elements.name.value = query.get('name') ?? ''
elements.room.value = query.get('room') ?? 'demo'
elements.key.value = query.get('key') ?? ''
elements.keyField.hidden = !query.has('key')
elements.name.focus()
if (query.has('name')) join()

elements.join.addEventListener('submit', (event) => {
  event.preventDefault()
  join()
})
elements.leave.addEventListener('click', leave)
elements.accept.addEventListener('click', () => room?.accept())
elements.decline.addEventListener('click', () => room?.decline())
// Escape closes a dialog; here it means no.
elements.incoming.addEventListener('cancel', () => room?.decline())
elements.hangUp.addEventListener('click', () => room?.hangUp())
elements.relayOnly.addEventListener('change', () => room?.setRelayOnly(elements.relayOnly.checked))
elements.microphone.addEventListener('click', () => toggle(elements.microphone, 'audio'))
elements.camera.addEventListener('click', () => toggle(elements.camera, 'video'))
elements.say.addEventListener('submit', (event) => {
  event.preventDefault()
  const text = elements.text.value.trim()
  if (text === '') return
  room?.say(text)
  addMessage('you', text)
  elements.text.value = ''
})
addEventListener('pagehide', () => room?.close())

function join(): void {
  // A second click is not a second peer.
  if (room !== undefined) return
  const options = { room: elements.room.value.trim(), name: elements.name.value.trim() }
  const token = elements.key.value
  room = new Room(token === '' ? options : { ...options, token }, {
    joined: (name) => {
      elements.join.hidden = true
      elements.lobby.hidden = !elements.call.hidden
      elements.lobbyTitle.textContent = `Room ${name}`
      notice('')
    },
    refused: (reason) => {
      leave()
      elements.keyField.hidden = false
      notice(reason)
    },
    connectionChanged: (isConnected) => notice(isConnected ? '' : 'Connecting to the server…'),
    peersChanged: showPeers,
    phaseChanged: showPhase,
    callStateChanged: (state) => {
      elements.callState.textContent = state
      elements.callState.dataset.state = state
    },
    remoteStream: (stream) => {
      elements.remote.srcObject = stream
    },
    chat: (text) => addMessage(elements.remoteName.textContent ?? '', text),
    chatOpen: (isOpen) => {
      elements.text.disabled = !isOpen
    },
    notice,
  })
}

function leave(): void {
  room?.close()
  room = undefined
  showPhase({ type: 'idle' })
  elements.join.hidden = false
  elements.lobby.hidden = true
}

function showPeers(peers: readonly PeerSummary[]): void {
  elements.peers.replaceChildren(...peers.map(peerItem))
  elements.nobody.hidden = peers.length > 0
}

function peerItem(peer: PeerSummary): HTMLLIElement {
  const item = make('li')
  const button = make('button', 'Call')
  button.type = 'button'
  button.setAttribute('aria-label', `Call ${nameOf(peer)}`)
  button.disabled = room?.phase.type !== 'idle'
  button.addEventListener('click', () => room?.call(peer))
  item.append(make('span', nameOf(peer)), button)
  return item
}

function showPhase(phase: Phase): void {
  for (const button of elements.peers.querySelectorAll('button')) button.disabled = phase.type !== 'idle'
  if (phase.type === 'ringing') {
    elements.incomingText.textContent = `${nameOf(phase.peer)} is calling`
    elements.incoming.showModal()
    elements.accept.focus()
  } else if (elements.incoming.open) elements.incoming.close()
  elements.call.hidden = phase.type === 'idle' || phase.type === 'ringing'
  elements.lobby.hidden = room === undefined || !elements.call.hidden
  clearInterval(pathTimer)
  if (phase.type === 'opening') {
    elements.messages.replaceChildren()
    for (const button of [elements.microphone, elements.camera]) button.setAttribute('aria-pressed', 'true')
  }
  if (phase.type === 'calling') showCalling(phase.peer, 'waiting for an answer')
  else if (phase.type === 'opening') showCalling(phase.peer, 'opening camera and microphone')
  else if (phase.type === 'in-call') showCall(phase)
  else {
    elements.remote.srcObject = null
    elements.own.srcObject = null
  }
}

function showCalling(peer: PeerSummary, state: string): void {
  elements.callTitle.textContent = `Calling ${nameOf(peer)}`
  elements.callState.textContent = state
  elements.callState.dataset.state = 'new'
  elements.remoteName.textContent = nameOf(peer)
  elements.path.replaceChildren()
  elements.text.disabled = true
  notice('')
}

function showCall({ peer, call, media }: Extract<Phase, { type: 'in-call' }>): void {
  showCalling(peer, 'connecting')
  elements.callTitle.textContent = `Call with ${nameOf(peer)}`
  elements.own.srcObject = media
  const reader = new PathReader(call.connection)
  const update = async () => drawPath(elements.path, await reader.read(), nameOf(peer))
  pathTimer = setInterval(update, readPathEveryMs)
  update()
}

function toggle(button: HTMLButtonElement, kind: 'audio' | 'video'): void {
  const phase = room?.phase
  if (phase?.type !== 'in-call') return
  const isOn = button.getAttribute('aria-pressed') !== 'true'
  button.setAttribute('aria-pressed', String(isOn))
  for (const track of phase.media.getTracks()) if (track.kind === kind) track.enabled = isOn
}

function addMessage(from: string, text: string): void {
  const item = make('li')
  item.append(make('b', from), ` ${text}`)
  elements.messages.append(item)
  item.scrollIntoView({ block: 'nearest' })
}

function notice(text: string): void {
  elements.status.textContent = text
}
