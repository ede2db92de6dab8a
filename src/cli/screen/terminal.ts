/** What the terminal can show: colour by NO_COLOR, FORCE_COLOR and TERM, width, and characters beyond ASCII. */

export interface Terminal {
  /** Lines are at most that wide, where nothing in them is longer by itself. */
  readonly columns: number
  readonly hasColor: boolean
  readonly hasUnicode: boolean
  /** One record a line, for programs that read it. */
  readonly isPlain: boolean
}

export interface TerminalFlags {
  readonly plain?: boolean
  /** commander's form of `--no-color`. */
  readonly color?: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

/** Limit: lines longer than this are hard to read, however wide the terminal is. */
const widest = 80

export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  environment: Environment,
  flags: TerminalFlags = {},
): Terminal {
  const isTty = stream.isTTY === true
  const isPlain = flags.plain === true || !isTty
  const isDumb = environment.TERM === 'dumb'
  return {
    columns: Math.max(40, Math.min(widest, stream.columns ?? widest)),
    hasColor: flags.color !== false && !isPlain && colorOf(environment, isTty && !isDumb),
    hasUnicode: !isDumb && isUtf8(environment),
    isPlain,
  }
}

/** https://no-color.org: any value but the empty one; FORCE_COLOR=0 is Node's word for the same. */
function colorOf(environment: Environment, otherwise: boolean): boolean {
  if ((environment.NO_COLOR ?? '') !== '') return false
  const forced = environment.FORCE_COLOR
  return forced === undefined ? otherwise : forced !== '0' && forced !== 'false'
}

function isUtf8(environment: Environment): boolean {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ''
  return /utf-?8/i.test(locale)
}
