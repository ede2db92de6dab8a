/** The kit that all screens are made of: width, colour, plain output, terminals that know only ASCII. */

import { describe, expect, it } from 'vitest'
import type { Block } from '../../src/cli/screen/blocks.ts'
import { progressOn } from '../../src/cli/screen/progress.ts'
import { render, widthOf, wrap } from '../../src/cli/screen/render.ts'
import { type Terminal, terminalOf } from '../../src/cli/screen/terminal.ts'

const person: Terminal = { columns: 60, hasColor: false, hasUnicode: true, isPlain: false }
const tty = { isTTY: true, columns: 120 }
const utf8 = { LANG: 'C.UTF-8', TERM: 'xterm' }

const blocks: Block[] = [
  { type: 'title', left: 'turnpike nat · 1 server', right: '1.4 s' },
  {
    type: 'verdict',
    mark: 'ok',
    sentences: ['You can connect directly to most peers.', 'Relay is the exception.'],
  },
  {
    type: 'facts',
    facts: [
      { label: 'Public address', value: '203.0.113.7:49321' },
      { label: 'NAT', value: 'one whose description is so long that it does not fit on one line of sixty' },
      { label: 'Hairpin', value: { mark: 'unknown', text: 'not tested' } },
    ],
  },
  { type: 'drawing', lines: ['you ──▶ [ NAT ]'] },
  {
    type: 'table',
    name: 'transport',
    columns: ['Transport', 'RTT', 'TURN'],
    right: [1],
    rows: [
      ['udp 3478', '12.1 ms', { mark: 'ok' }],
      ['tls 5349', '–', { mark: 'failed', text: 'certificate expired' }],
    ],
  },
  {
    type: 'problems',
    problems: [{ mark: 'failed', text: 'tls 5349: renew the certificate of turn.example.net.' }],
  },
  { type: 'next', commands: ['turnpike nat --json > a.json', 'turnpike check turn:example.net'] },
]

describe('a screen', () => {
  it('is the verdict, the facts, the evidence, and what to do', () => {
    expect(render(blocks, person)).toBe(`turnpike nat · 1 server                                1.4 s

  ✓ You can connect directly to most peers.
  Relay is the exception.

  Public address  203.0.113.7:49321
  NAT             one whose description is so long that it
                  does not fit on one line of sixty
  Hairpin         ? not tested

  you ──▶ [ NAT ]

  Transport       RTT   TURN
  udp 3478    12.1 ms   ✓
  tls 5349          –   ✗ certificate expired

  ✗ tls 5349: renew the certificate of turn.example.net.

  next: turnpike nat --json > a.json
        turnpike check turn:example.net
`)
  })

  it('is one record a line for programs', () => {
    expect(
      render(blocks, { ...person, isPlain: true }),
    ).toBe(`verdict: You can connect directly to most peers. Relay is the exception.
public-address: 203.0.113.7:49321
nat: one whose description is so long that it does not fit on one line of sixty
hairpin: unknown not tested
transport: transport="udp 3478" rtt="12.1 ms" turn=ok
transport: transport="tls 5349" rtt=– turn="failed certificate expired"
failed: tls 5349: renew the certificate of turn.example.net.
`)
  })

  it('has nothing but ASCII where the terminal knows no more', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII.
    expect(render(blocks, { ...person, hasUnicode: false })).toMatch(/^[\x00-\x7f]*$/)
  })

  it('is as wide in colour as without', () => {
    const colored = render(blocks, { ...person, hasColor: true }).split('\n')
    expect(colored.some((line) => line.includes('\x1b['))).toBe(true)
    expect(colored.map(widthOf)).toEqual(render(blocks, person).split('\n').map(widthOf))
  })

  it('keeps words whole that are longer than the line', () => {
    expect(wrap('see https://example.org/a/long/address now', 10)).toEqual([
      'see',
      'https://example.org/a/long/address',
      'now',
    ])
  })
})

describe('a terminal', () => {
  it.each([
    ['a terminal', tty, utf8, {}, { columns: 80, hasColor: true, hasUnicode: true, isPlain: false }],
    ['NO_COLOR', tty, { ...utf8, NO_COLOR: '1' }, {}, { hasColor: false }],
    ['an empty NO_COLOR', tty, { ...utf8, NO_COLOR: '' }, {}, { hasColor: true }],
    ['--no-color', tty, { ...utf8, FORCE_COLOR: '1' }, { color: false }, { hasColor: false }],
    ['TERM=dumb', tty, { ...utf8, TERM: 'dumb' }, {}, { hasColor: false, hasUnicode: false }],
    ['FORCE_COLOR', tty, { ...utf8, TERM: 'dumb', FORCE_COLOR: '1' }, {}, { hasColor: true }],
    ['a pipe', {}, utf8, {}, { isPlain: true, hasColor: false }],
    ['--plain', tty, utf8, { plain: true }, { isPlain: true, hasColor: false }],
    ['a narrow one', { isTTY: true, columns: 50 }, utf8, {}, { columns: 50 }],
    ['the locale C', tty, { LANG: 'C' }, {}, { hasUnicode: false }],
  ] as const)('as %s', (_, stream, environment, flags, expected) => {
    expect(terminalOf(stream, environment, flags)).toMatchObject(expected)
  })
})

describe('progress', () => {
  it('is one line that is written over, on a terminal only', () => {
    const written: string[] = []
    const write = (text: string) => written.push(text)
    progressOn({ isTTY: true, write }, {}).show('mapping')
    progressOn({ write }, {}).show('nothing')
    expect(written).toEqual(['\r\x1b[2Kmapping'])
  })
})
