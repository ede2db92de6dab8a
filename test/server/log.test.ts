import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLog, type LogFormat, type LogLevel, logLevels } from '../../src/server/log.ts'

const date = () => new Date('2026-01-02T03:04:05.678Z')

function openLog(level: LogLevel = 'debug', format: LogFormat = 'pretty') {
  const stream = new PassThrough({ highWaterMark: 16 })
  const log = createLog({ level, format, stream: stream as unknown as NodeJS.WriteStream, date })
  const lines = () => {
    let text = ''
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) text += chunk
    return text.split('\n').slice(0, -1)
  }
  return { log, stream, lines }
}

describe('a log line', () => {
  it('for people has time, level, message and fields', () => {
    const { log, lines } = openLog()
    log.info('allocation started', { client: '192.0.2.1:1', user: 'alice', bytes: 5, missing: undefined })
    expect(lines()).toEqual(['03:04:05.678 info  allocation started client=192.0.2.1:1 user=alice bytes=5'])
  })

  it('for programs is one JSON object', () => {
    const { log, lines } = openLog('debug', 'json')
    log.warn('not listening', { address: '[::]:1', missing: undefined })
    expect(lines().map((line) => JSON.parse(line))).toEqual([
      { time: '2026-01-02T03:04:05.678Z', level: 'warn', message: 'not listening', address: '[::]:1' },
    ])
  })

  const names = [
    'two\nlines',
    'carriage\rreturn',
    'esc\u001b[31mred',
    'a b',
    'a=b user=root',
    'quote"d',
    'back\\slash',
    'nul\u0000',
    '',
    '\u2028sep',
    'na\u00efve',
    '\u202ereversed',
    '%s%n',
  ]
  it.each(names)('stays one line of printable ASCII with the user name %j, in both formats', (user) => {
    for (const format of ['pretty', 'json'] as const) {
      const { log, stream } = openLog('debug', format)
      log.info('allocation started', { user })
      const text = String(stream.read())
      expect(text.indexOf('\n')).toBe(text.length - 1)
      if (format === 'json') expect(JSON.parse(text).user).toBe(user)
      else expect(text.slice(0, -1)).toMatch(/^[\x20-\x7e]+$/)
    }
  })

  it('cannot be made to look like another field', () => {
    const { log, lines } = openLog()
    log.info('x', { user: 'a reason=shutdown' })
    expect(lines()).toEqual(['03:04:05.678 info  x user="a reason=shutdown"'])
  })
})

describe('a log level', () => {
  it.each(logLevels)('%s lets through what is as grave or graver', (level) => {
    const { log, lines } = openLog(level)
    for (const name of ['debug', 'info', 'warn', 'error'] as const) log[name](name)
    expect(lines().map((line) => line.slice(19))).toEqual(
      ['debug', 'info', 'warn', 'error'].slice(logLevels.indexOf(level)),
    )
  })
})

describe('a stream that nobody reads', () => {
  it('holds no more than a megabyte, and loses lines rather than the server', () => {
    const { log, stream, lines } = openLog()
    for (let i = 0; i < 50_000; i++) log.info('x'.repeat(100))
    expect(stream.writableLength).toBeLessThan(1_100_000)
    lines()
    log.info('again')
    expect(lines().join()).toMatch(/again linesLost=\d{4,}/)
  })

  it('that is closed or fails costs nothing', () => {
    const { log, stream } = openLog()
    stream.destroy(new Error('EPIPE'))
    for (let i = 0; i < 100; i++) log.error('into nothing')
    expect(stream.destroyed).toBe(true)
  })
})
