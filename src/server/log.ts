/**
 * Log lines on stderr, as JSON or for people. A stream that is slow or gone loses lines and counts them; it never
 * holds the server up or ends it.
 */

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export const logFormats = ['pretty', 'json'] as const

export type LogLevel = (typeof logLevels)[number]
export type LogFormat = (typeof logFormats)[number]

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  /** Lines below it are not written; everything is, unless given. */
  readonly level?: LogLevel
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** Limit: what may wait in a stream that nobody reads. */
const longestBacklogBytes = 1024 * 1024

export interface LogOptions {
  readonly level: LogLevel
  readonly format: LogFormat
  readonly stream: NodeJS.WriteStream
  /** Wall-clock time, for the stamps. */
  readonly date: () => Date
}

export function createLog({ level, format, stream, date }: LogOptions): Log {
  const threshold = logLevels.indexOf(level)
  let lost = 0
  stream.on('error', () => {
    lost++
  })
  const write = (lineLevel: LogLevel, message: string, fields: LogFields = {}) => {
    if (logLevels.indexOf(lineLevel) < threshold) return
    if (stream.destroyed || stream.writableLength > longestBacklogBytes) {
      lost++
      return
    }
    const all = lost > 0 ? { ...fields, linesLost: lost } : fields
    lost = 0
    stream.write(
      format === 'json'
        ? jsonLine(lineLevel, message, all, date())
        : prettyLine(lineLevel, message, all, date()),
    )
  }
  return {
    level,
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  }
}

function jsonLine(level: LogLevel, message: string, fields: LogFields, date: Date): string {
  return `${JSON.stringify({ time: date.toISOString(), level, message, ...fields })}\n`
}

function prettyLine(level: LogLevel, message: string, fields: LogFields, date: Date): string {
  const time = date.toISOString().slice(11, 23)
  const text = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? quoted(value) : value}`)
    .join('')
  return `${time} ${level.padEnd(5)} ${message}${text}\n`
}

/** Names come from the network: control characters, quotes and spaces are written so that one line stays one. */
function quoted(value: string): string {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)
    ? value
    : JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped)
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
