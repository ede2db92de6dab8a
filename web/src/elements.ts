/** The page's elements by id, each of the kind that the code expects: a wrong id fails at once, not on a click. */

function element<Kind extends Element>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`)
  return found
}

export const elements = {
  status: element('status', HTMLElement),
  join: element('join', HTMLFormElement),
  name: element('name', HTMLInputElement),
  room: element('room', HTMLInputElement),
  keyField: element('key-field', HTMLElement),
  key: element('key', HTMLInputElement),
  lobby: element('lobby', HTMLElement),
  lobbyTitle: element('lobby-title', HTMLElement),
  peers: element('peers', HTMLUListElement),
  nobody: element('nobody', HTMLElement),
  leave: element('leave', HTMLButtonElement),
  call: element('call', HTMLElement),
  callTitle: element('call-title', HTMLElement),
  callState: element('call-state', HTMLElement),
  remote: element('remote', HTMLVideoElement),
  remoteName: element('remote-name', HTMLElement),
  own: element('own', HTMLVideoElement),
  microphone: element('microphone', HTMLButtonElement),
  camera: element('camera', HTMLButtonElement),
  relayOnly: element('relay-only', HTMLInputElement),
  hangUp: element('hang-up', HTMLButtonElement),
  path: element('path', HTMLElement),
  messages: element('messages', HTMLOListElement),
  say: element('say', HTMLFormElement),
  text: element('text', HTMLInputElement),
  incoming: element('incoming', HTMLDialogElement),
  incomingText: element('incoming-text', HTMLElement),
  accept: element('accept', HTMLButtonElement),
  decline: element('decline', HTMLButtonElement),
} as const

/** A new element with a text, which is never read as markup. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  text = '',
  className = '',
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  made.textContent = text
  made.className = className
  return made
}
