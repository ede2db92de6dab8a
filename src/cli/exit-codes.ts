/** What the process says by its exit code (sysexits where there is a number for it). */
export const exitCodes = {
  success: 0,
  /** The world refused: a port in use, an address that is not ours; a check or `--require` has failed. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
  /** Something that was asked for could not be found out. */
  inconclusive: 3,
  /** No server answered at all. */
  unreachable: 4,
  /** The server refused the credentials. */
  unauthorized: 5,
  /** A fault of turnpike's own. */
  internal: 70,
  /** Ctrl-C; what was known by then has been printed. */
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** How a command says what its process is to end with; it is `success` unless it does. */
export type End = (code: ExitCode) => void
