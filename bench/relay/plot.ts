/** Lines over a logarithmic axis, as an SVG file that reads in light and dark. */

export interface Line {
  readonly name: string
  readonly color: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

const width = 720
const height = 400
const left = 70
const right = 150
const top = 40
const bottom = 50

export function plot(title: string, xName: string, yName: string, lines: readonly Line[]): string {
  const xs = lines.flatMap(({ points }) => points.map(({ x }) => x))
  const highest = niceAbove(Math.max(...lines.flatMap(({ points }) => points.map(({ y }) => y))))
  const [minX, maxX] = [Math.log10(Math.min(...xs)), Math.log10(Math.max(...xs))]
  const px = (x: number) => left + ((Math.log10(x) - minX) / (maxX - minX || 1)) * (width - left - right)
  const py = (y: number) => height - bottom - (y / highest) * (height - top - bottom)
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = py(highest * share)
    return `<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" class="grid"/><text x="${left - 8}" y="${y + 4}" text-anchor="end">${Math.round((highest * share) / 1000)}k</text>`
  })
  const ticks = [...new Set(xs)].map(
    (x) =>
      `<text x="${px(x)}" y="${height - bottom + 20}" text-anchor="middle">${x.toLocaleString('en')}</text>`,
  )
  const series = lines.map(({ name, color, points }) => {
    const path = points
      .map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${px(x).toFixed(1)} ${py(y).toFixed(1)}`)
      .join(' ')
    const dots = points.map(
      ({ x, y }) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="3.5" fill="${color}"/>`,
    )
    const end = points.at(-1)!
    return `<path d="${path}" fill="none" stroke="${color}" stroke-width="2.5"/>${dots.join('')}<text x="${width - right + 10}" y="${py(end.y) + 4}" fill="${color}" class="name">${name}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${title}</title>
<style>
  svg { font: 13px system-ui, sans-serif; background: #ffffff }
  text { fill: #475569 } .grid { stroke: #e2e8f0 } .name { font-weight: 600 } .title { font-size: 15px; font-weight: 600; fill: #0f172a }
</style>
<text x="${left}" y="22" class="title">${title}</text>
${grid.join('\n')}
${ticks.join('\n')}
<text x="${(left + width - right) / 2}" y="${height - 10}" text-anchor="middle">${xName}</text>
<text x="16" y="${height / 2}" text-anchor="middle" transform="rotate(-90 16 ${height / 2})">${yName}</text>
${series.join('\n')}
</svg>
`
}

/** The next 1, 2 or 5 times a power of ten. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10)
}
