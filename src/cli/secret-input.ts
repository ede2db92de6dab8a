/** Where a secret comes from: a file, standard input (`-`), or a prompt that does not show what is typed. */

import { readFileSync } from 'node:fs'
import { TurnpikeError } from '../core/errors.ts'
import { readSecretFile } from './parse-credentials.ts'

/** Without the line end. Throws `configuration-invalid`, without a word of what was read. */
export function readSecret(flag: string, file: string): string {
  const warn = (message: string) => process.stderr.write(`turnpike: ${message}\n`)
  const text = (file === '-' ? readStandardInput(flag) : readSecretFile(flag, file, warn)).replace(
    /\r?\n$/,
    '',
  )
  if (text !== '') return text
  throw new TurnpikeError('configuration-invalid', `${flag} ${JSON.stringify(file)} is empty`)
}

function readStandardInput(flag: string): string {
  try {
    return readFileSync(0, 'utf8')
  } catch (cause) {
    throw new TurnpikeError('configuration-invalid', `${flag} -: standard input cannot be read`, { cause })
  }
}

interface Keyboard {
  readonly isTTY?: boolean
  setRawMode?(mode: boolean): unknown
  resume(): unknown
  pause(): unknown
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  off(event: 'data', listener: (chunk: Uint8Array) => void): unknown
}

/** Asks a person; undefined where there is none, or when it is broken off by Ctrl-C. */
export function promptSecret(
  question: string,
  keyboard: Keyboard = process.stdin,
  screen: { write(text: string): unknown } = process.stderr,
): Promise<string | undefined> {
  if (keyboard.isTTY !== true) return Promise.resolve(undefined)
  screen.write(question)
  keyboard.setRawMode?.(true)
  keyboard.resume()
  return new Promise((resolve) => {
    let typed = ''
    const finish = (value: string | undefined) => {
      keyboard.off('data', onData)
      keyboard.setRawMode?.(false)
      keyboard.pause()
      screen.write('\n')
      resolve(value)
    }
    const onData = (chunk: Uint8Array) => {
      for (const character of new TextDecoder().decode(chunk)) {
        if (character === '\r' || character === '\n') return finish(typed)
        if (character === '\u0003' || character === '\u0004') return finish(undefined)
        if (character === '\u007f' || character === '\b') typed = [...typed].slice(0, -1).join('')
        else if (character >= ' ') typed += character
      }
    }
    keyboard.on('data', onData)
  })
}
