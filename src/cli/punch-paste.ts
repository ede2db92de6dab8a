/** The codes of a punch by copy and paste: one is shown, the other is read from standard input. */

import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { TurnpikeError } from '../core/errors.ts'
import { decodePunchCode, type PunchCodeFault, type PunchOffer } from '../probe/punch-code.ts'

/** How the two sides get each other's code. */
export interface PunchMeeting {
  /** The other side may take its time until it begins: a person has to paste first. */
  readonly isPeerLate: boolean
  /** Gives ours, resolves with the other one. */
  exchange(code: string): Promise<PunchOffer>
  close(): void
}

export function pastedMeeting(
  given: PunchOffer | undefined,
  input: Readable,
  output: Writable,
  signal: AbortSignal,
): PunchMeeting {
  if (given !== undefined) {
    return {
      isPeerLate: true,
      exchange: async (code) => {
        output.write(`\nGive this code to the other side, which waits for it:\n\n${code}\n\n`)
        return given
      },
      close: () => {},
    }
  }
  return {
    isPeerLate: false,
    exchange: (code) => {
      output.write(
        `\nOn the other host:\n\nturnpike punch ${code}\n\nIt answers with a code. Paste that here, and press Enter:\n`,
      )
      return readOffer(input, output, signal)
    },
    close: () => {},
  }
}

/** Lines until they are a code: a terminal may have broken it in several. */
function readOffer(input: Readable, output: Writable, signal: AbortSignal): Promise<PunchOffer> {
  const lines = createInterface({ input, terminal: false })
  let text = ''
  return new Promise((resolve, reject) => {
    const end = (why: string) => {
      lines.close()
      reject(new TurnpikeError('call-failed', why))
    }
    signal.addEventListener('abort', () => end('interrupted before the other code was there'), { once: true })
    lines.on('close', () => end('the input ended before the other code was there'))
    lines.on('line', (line) => {
      if (line.trim() === '') return
      const isNew = /^\s*tp\d/.test(line)
      text = isNew ? line : text + line
      const decoded = decodePunchCode(text)
      if (typeof decoded !== 'string') {
        lines.removeAllListeners('close')
        lines.close()
        // Else the process would wait for a terminal that nobody reads.
        if ('unref' in input && typeof input.unref === 'function') input.unref()
        resolve(decoded)
      } else if (decoded === 'not-a-code' || decoded === 'other-version') {
        output.write(`${explainFault(decoded)}\n`)
        text = ''
      }
    })
  })
}

export function explainFault(fault: PunchCodeFault): string {
  switch (fault) {
    case 'not-a-code':
      return 'that is no code of turnpike punch, which begins with tp1.'
    case 'other-version':
      return 'that code is of another version of turnpike; take the same one on both hosts'
    case 'incomplete':
      return 'that code is cut off; copy all of it'
    case 'damaged':
      return 'that code has a wrong letter in it, or is cut off; copy all of it once more'
  }
}
