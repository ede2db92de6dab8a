/** What the process says by its exit code (sysexits where there is a number for it). */
export const exitCodes = {
  success: 0,
  /** The world refused: a port in use, an address that is not ours. */
  failed: 1,
  /** The command line is wrong; nothing was tried. */
  usage: 2,
} as const
