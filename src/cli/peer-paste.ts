/**
 * `turnpike peer --paste`: a call without a server. Both sides run the same command: it shows an invitation and waits for a
 * line; an invitation of the other side is answered, an answer to ours begins the call.
 */

import { createInterface, type Interface } from 'node:readline'
import { TurnpikeError } from '../core/errors.ts'
import type { Call, CallHandlers } from '../peer/call.ts'
import {
  answerInvitation,
  invite,
  type PastedCallOptions,
  type PastedInvitation,
} from '../peer/pasted-call.ts'
import { decodePasted } from '../peer/pasted-text.ts'
import {
  callFailed,
  iceServersOf,
  messageOf,
  openSources,
  type PeerFlags,
  untilStopped,
} from './peer-flags.ts'
import type { PeerScreen } from './peer-screen.ts'

const peer = { id: 'pasted', name: 'the other side' }

export async function runByPaste(flags: PeerFlags, screen: PeerScreen): Promise<void> {
  const media = await openSources(flags)
  const ended = untilStopped()
  let call: Call | undefined
  let hasEnded = false
  const handlers: CallHandlers = {
    connected: () => screen.tell('connected', { name: peer.name }),
    message: (text) => screen.tell('message', { from: peer.name, text }),
    ended: (reason) => {
      if (call === undefined) return
      hasEnded = true
      screen.ended(peer, reason)
      ended.resolve()
    },
  }
  const options: PastedCallOptions = {
    media,
    echo: flags.echo,
    recordTo: flags.record,
    iceServers: iceServersOf(flags),
    relayOnly: flags.relayOnly,
  }
  const begin = (begun: Call) => {
    call = begun
    if (flags.say !== undefined) begun.say(flags.say)
    screen.watch(peer.id, begun)
    begun.connected().catch((error) => ended.reject(callFailed(error)))
    if (flags.seconds !== undefined) setTimeout(() => ended.resolve(), flags.seconds * 1000).unref()
  }
  let invitation: PastedInvitation | undefined
  let lines: Interface | undefined
  try {
    invitation = await invite(options, handlers)
    screen.show(
      'invitation',
      invitation.text,
      'Send this line to the other side, or paste the line that it has sent you:',
    )
    const own = invitation
    lines = createInterface({ input: process.stdin })
    const take = async (line: string): Promise<void> => {
      if (call !== undefined || line.trim() === '') return
      const pasted = decodePasted(line)
      try {
        if (typeof pasted === 'object' && pasted.type === 'offer') {
          const answered = await answerInvitation(line, options, handlers)
          // Ours is not needed any more; that it ends is not the end of the call.
          own.call.handlers = {}
          begin(answered.call)
          await own.call.close()
          screen.show('answer', answered.text, 'Send this line back:')
        } else {
          await own.accept(line)
          begin(own.call)
        }
      } catch (error) {
        screen.tell('not used', { why: messageOf(error) })
      }
    }
    // One line after another.
    let taken = Promise.resolve()
    lines.on('line', (line) => {
      taken = taken.then(() => take(line))
    })
    lines.on('close', () => {
      taken.then(() => {
        if (call === undefined)
          ended.reject(new TurnpikeError('call-failed', 'nothing was pasted before the end of input'))
      })
    })
    // Ctrl-C arrives here on a terminal, and there only.
    lines.on('SIGINT', () => ended.resolve())
    await ended.promise
  } catch (error) {
    throw callFailed(error)
  } finally {
    lines?.close()
    screen.close()
    if (!hasEnded) await (call ?? invitation?.call)?.close()
    media?.close()
  }
}
