/** The path of a call as a drawing: two ends and a line, or a line that climbs over the TURN server; and in words. */

import { make } from './elements.ts'
import { isRelayed, type Path, type PathEnd } from './path.ts'

const svgNamespace = 'http://www.w3.org/2000/svg'

/** Puts the drawing into `target`. */
export function drawPath(target: HTMLElement, path: Path | undefined, remoteName: string): void {
  if (path === undefined) {
    target.replaceChildren(make('p', 'Looking for a path…', 'hint'))
    return
  }
  const relayed = isRelayed(path)
  const heading = make('h3', relayed ? 'Through TURN' : 'Direct')
  heading.className = relayed ? 'relayed' : 'direct'
  target.replaceChildren(heading, drawing(path, remoteName), figures(path))
}

function drawing(path: Path, remoteName: string): SVGSVGElement {
  const relayed = isRelayed(path)
  const svg = node('svg', {
    viewBox: relayed ? '0 8 400 124' : '0 44 400 88',
    role: 'img',
    'aria-label': words(path, remoteName),
  })
  const line = relayed ? 'M52 84 L200 34 L348 84' : 'M52 84 L348 84'
  svg.append(
    node('path', { d: line, class: relayed ? 'line relayed' : 'line direct' }),
    ...end(52, 'you', path.own),
    ...end(348, remoteName, path.remote),
  )
  if (relayed) {
    svg.append(
      node('rect', { x: 172, y: 16, width: 56, height: 30, rx: 6, class: 'server' }),
      text(200, 36, 'TURN', 'label'),
      text(200, 62, `over ${path.own.protocol.toUpperCase()}`, 'address'),
    )
  } else {
    svg.append(text(200, 76, path.own.protocol.toUpperCase(), 'address'))
  }
  return svg
}

function end(x: number, name: string, { address, type }: PathEnd): SVGElement[] {
  return [
    node('circle', { cx: x, cy: 84, r: 12, class: 'end' }),
    text(x, 62, name.length > 14 ? `${name.slice(0, 13)}…` : name, 'label'),
    text(clampX(x), 112, address ?? 'address not shown', 'address'),
    text(clampX(x), 126, describe(type), 'address'),
  ]
}

/** Long addresses stay inside the drawing. */
function clampX(x: number): number {
  return x < 200 ? Math.max(x, 80) : Math.min(x, 320)
}

function describe(type: string): string {
  const meaning: Readonly<Record<string, string>> = {
    host: 'its own address',
    srflx: 'as STUN sees it',
    prflx: 'as the peer sees it',
    relay: 'relayed address',
  }
  return meaning[type] ?? type
}

function figures(path: Path): HTMLElement {
  const list = make('dl')
  const add = (name: string, value: string) => list.append(make('dt', name), make('dd', value))
  add(
    'round trip',
    path.roundTripMs === undefined ? '–' : `${path.roundTripMs.toFixed(path.roundTripMs < 10 ? 1 : 0)} ms`,
  )
  add('sent', bits(path.sentBitsPerSecond))
  add('received', bits(path.receivedBitsPerSecond))
  add('lost', path.loss === undefined ? '–' : `${(path.loss * 100).toFixed(1)} %`)
  return list
}

function bits(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)} Mbit/s`
  return `${Math.round(perSecond / 1000)} kbit/s`
}

function words(path: Path, remoteName: string): string {
  const via = isRelayed(path)
    ? `through the TURN server${path.own.server === undefined ? '' : ` ${path.own.server}`}`
    : 'directly'
  return `The call goes ${via} from ${path.own.address ?? 'you'} to ${path.remote.address ?? remoteName}.`
}

function node<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string | number>>,
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(svgNamespace, tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
  return made
}

function text(x: number, y: number, content: string, className: string): SVGTextElement {
  const made = node('text', { x, y, 'text-anchor': 'middle', class: className })
  made.textContent = content
  return made
}
