/**
 * A call without any server: each side makes one text, which people carry to the other side. Candidates are all in it, so
 * there is nothing more to tell; an ICE restart, which would take another round, is not to be had.
 */

import type { Host } from '../core/host.ts'
import type { IceServer } from '../signaling/protocol.ts'
import { Call, type CallHandlers, type CallOptions } from './call.ts'
import { gathered } from './gathering.ts'
import { decodePasted, encodePasted, type PastedDescription } from './pasted-text.ts'
import type { PeerConnectionConfig } from './peer-connection.ts'

export interface PastedCallOptions extends CallOptions {
  /** STUN and TURN servers, if there are any; without them peers on one network find each other. */
  readonly iceServers?: readonly IceServer[] | undefined
  readonly relayOnly?: boolean | undefined
  readonly host?: Host | undefined
}

export interface PastedInvitation {
  /** For the other side. */
  readonly text: string
  readonly call: Call
  /** Takes the other side's text. Rejects with what is wrong with it, and may then be tried again. */
  accept(answer: string): Promise<void>
}

/** Makes a text that invites whoever it is given to. */
export async function invite(
  options: PastedCallOptions = {},
  handlers: CallHandlers = {},
): Promise<PastedInvitation> {
  const { call, described } = begin(true, options, handlers)
  await described
  return {
    text: await textOf(call),
    call,
    accept: async (answer) => call.receive({ description: read(answer, 'answer') }),
  }
}

/** Takes an invitation, and makes the text that goes back. Rejects with what is wrong with the invitation. */
export async function answerInvitation(
  invitation: string,
  options: PastedCallOptions = {},
  handlers: CallHandlers = {},
): Promise<{ readonly text: string; readonly call: Call }> {
  const description = read(invitation, 'offer')
  const { call, described } = begin(false, options, handlers)
  try {
    await call.receive({ description })
    await described
    return { text: await textOf(call), call }
  } catch (error) {
    await call.close('the invitation does not fit')
    throw error
  }
}

function begin(isCaller: boolean, options: PastedCallOptions, handlers: CallHandlers) {
  const { iceServers = [], relayOnly, host } = options
  const configuration = (): PeerConnectionConfig => ({
    iceServers: iceServers.flatMap(({ urls, ...login }) => urls.map((url) => ({ urls: url, ...login }))),
    iceTransportPolicy: relayOnly === true ? 'relay' : 'all',
    ...(host === undefined ? {} : { host }),
  })
  const { promise: described, resolve } = Promise.withResolvers<void>()
  const call = new Call(
    { id: 'pasted', name: '' },
    options,
    {
      isCaller,
      isLower: isCaller,
      configuration,
      // Candidates need not be told: the text is made when they are all there.
      send: (data) => {
        if ('description' in data) resolve()
      },
      leave: () => {},
      endsWithChat: true,
    },
    handlers,
  )
  if (isCaller) offerBoth(call)
  // There is one offer and one answer: what would take another round is left out.
  const settled = isCaller ? described : Promise.resolve()
  settled.then(() => {
    call.connection.onnegotiationneeded = undefined
  })
  return { call, described }
}

/** Whoever answers may have more to send than we have. */
function offerBoth({ connection }: Call): void {
  const offered = new Set(connection.getTransceivers().map(({ kind }) => kind))
  for (const kind of ['video', 'audio'] as const) if (!offered.has(kind)) connection.addTransceiver(kind)
}

async function textOf({ connection }: Call): Promise<string> {
  await gathered(connection)
  const { type, sdp } = connection.localDescription!
  return encodePasted({ type: type as PastedDescription['type'], sdp })
}

function read(text: string, wanted: PastedDescription['type']): PastedDescription {
  const description = decodePasted(text)
  if (typeof description === 'string') throw new Error(`the text cannot be used: ${description}`)
  if (description.type === wanted) return description
  throw new Error(
    wanted === 'answer'
      ? 'that is an invitation, where its answer is wanted'
      : 'that is an answer, not an invitation',
  )
}
