/** What a command is doing, on one line of stderr that is written over; nothing where stderr is no terminal. */

export interface Progress {
  show(text: string): void
  /** Takes the line away, before anything else is written. */
  clear(): void
}

interface Output {
  readonly isTTY?: boolean
  write(text: string): unknown
}

export function progressOn(
  stream: Output,
  environment: Readonly<Record<string, string | undefined>>,
): Progress {
  if (stream.isTTY !== true || environment.TERM === 'dumb') return { show: () => {}, clear: () => {} }
  return {
    show: (text) => stream.write(`\r\x1b[2K${text.slice(0, 79)}`),
    clear: () => stream.write('\r\x1b[2K'),
  }
}
