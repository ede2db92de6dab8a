/**
 * Filtering behaviour over UDP (RFC 5780 §4.4). A packet that arrives proves what it proves; one that does not is
 * evidence only when everything else that could have stopped it has been shown not to: the controls.
 */

import { isSameIp } from '../core/ip.ts'
import {
  type Filtering,
  type Finding,
  filterings,
  known,
  type Mapping,
  narrowed,
  unknown,
} from './behavior.ts'
import type { Alternates, Answered } from './mapping.ts'
import { ProbeSocket } from './probe-socket.ts'
import type { FilteringReport } from './report.ts'
import type { Asked, Run } from './run.ts'

export interface FilteringInput {
  readonly run: Run
  readonly alternates: Alternates
  /** The socket of the mapping test: it has sent to all four addresses. */
  readonly mappingSocket: ProbeSocket
  readonly mapping: Mapping | null
  readonly mappingAnswers: readonly Answered[]
}

export interface FilteringResult {
  readonly report: FilteringReport
  readonly poisoned: Finding<boolean>
  /** First answers of fresh sockets, each with its socket: what the port tests can use too. */
  readonly firsts: readonly { readonly socket: ProbeSocket; readonly answer: Answered }[]
  /** What the server does wrong, if it does. */
  readonly fault: string | undefined
}

const both = { changeIp: true, changePort: true }
const portOnly = { changeIp: false, changePort: true }

interface Trial {
  readonly socket: ProbeSocket
  readonly first: Answered
  readonly changed: Asked
  /** Afterwards, asked as at first; undefined when the change was answered. */
  readonly after: Asked | undefined
}

export async function measureFiltering(input: FilteringInput): Promise<FilteringResult> {
  const { run, alternates, mappingSocket } = input
  // Two fresh sockets, so that the two silences are waited for at the same time.
  const [two, three] = await Promise.all([
    trial(run, mappingSocket, alternates, both),
    trial(run, mappingSocket, alternates, portOnly),
  ])
  const trials = [two, three].filter((one) => typeof one !== 'string')
  const firsts = trials.map(({ socket, first }) => ({ socket, answer: first }))
  const nothing = { poisoned: unknown('filtering was not measured'), firsts, fault: undefined }
  if (typeof two === 'string' || typeof three === 'string') {
    const reason = typeof two === 'string' ? two : (three as string)
    return { report: reportOf(filterings, reason), ...nothing }
  }
  const fault = faultOf(two.changed) ?? faultOf(three.changed)
  if (fault !== undefined)
    return { report: reportOf(filterings, fault, { sourceChecked: false }), ...nothing, fault }
  if (two.changed.type === 'answered') {
    return {
      report: reportOf(['EIF'], '', { sourceChecked: true, changeRequestHonoured: true }),
      ...nothing,
      poisoned: unknown('nothing is filtered, so that no packet comes unasked'),
    }
  }
  const judged = await judge(input, two, three)
  const poisoned = await poison(input, two)
  return { ...nothing, ...judged, poisoned }
}

/** A plain request, then one whose answer shall come from elsewhere, then, after silence, a plain one again. */
async function trial(
  run: Run,
  like: ProbeSocket,
  { a1p1, a1p2, a2p2 }: Alternates,
  change: typeof both,
): Promise<Trial | string> {
  const socket = await ProbeSocket.open(run, like.local)
  if (typeof socket === 'string') return `no socket for it: ${socket}`
  const first = await socket.ask(a1p1)
  if (first.type !== 'answered') return `${a1p1} did not answer a new socket`
  const from = change.changeIp ? a2p2 : a1p2
  const changed = await socket.ask(a1p1, { attributes: [['CHANGE-REQUEST', change]], from })
  const after = changed.type === 'answered' ? undefined : await socket.ask(a1p1)
  return { socket, first, changed, after }
}

function faultOf(changed: Asked): string | undefined {
  if (changed.type === 'wrong-source') {
    return `the server ignores CHANGE-REQUEST: it answered from ${changed.source}`
  }
  if (changed.type === 'rejected') return `the server refuses CHANGE-REQUEST (${changed.code})`
  return undefined
}

async function judge(
  input: FilteringInput,
  two: Trial,
  three: Trial,
): Promise<{ report: FilteringReport; fault: string | undefined }> {
  const { alternates, mappingAnswers } = input
  const answers = (one: typeof alternates.a1p1) =>
    mappingAnswers.some(({ destination }) => destination.equals(one))
  const alternatesAnswer = answers(alternates.a2p2) && answers(alternates.a1p2)
  const isThreeIn = three.changed.type === 'answered'
  const stillAlive = isAlive(two) && (isThreeIn || isAlive(three))
  const [bothHonoured, portHonoured] = await Promise.all([
    honours(input, true),
    isThreeIn ? true : honours(input, false),
  ])
  const excluded = new Set<Filtering>()
  // What has arrived from another port of an address that was asked: ports are not looked at.
  if (isThreeIn) excluded.add('APDF')
  const isOverdue = input.run.isOverdue(two.changed) || input.run.isOverdue(three.changed)
  const isTwoProof =
    !isOverdue &&
    two.changed.type === 'silent' &&
    isAlive(two) &&
    answers(alternates.a2p2) &&
    bothHonoured === true
  if (isTwoProof) excluded.add('EIF')
  const isThreeProof =
    !isOverdue &&
    three.changed.type === 'silent' &&
    isAlive(three) &&
    answers(alternates.a1p2) &&
    portHonoured === true
  if (isThreeProof) excluded.add('EIF').add('ADF')
  const possible = filterings.filter((one) => !excluded.has(one))
  const controls = {
    alternatesAnswer,
    sourceChecked: isThreeIn ? true : null,
    stillAlive,
    changeRequestHonoured:
      bothHonoured === null || portHonoured === null ? null : bothHonoured && portHonoured,
  }
  const reason = isOverdue
    ? 'an answer came when it was not waited for any more'
    : !alternatesAnswer
      ? 'the alternate address of the server does not answer'
      : !stillAlive
        ? 'the mapping was not the same before and after'
        : 'the server could not be shown to answer from its alternate address'
  if (possible.length === 0)
    return { report: reportOf(filterings, 'the answers contradict each other', controls), fault: undefined }
  const fault =
    alternatesAnswer && (bothHonoured === false || portHonoured === false)
      ? 'the server does not answer from its alternate address when CHANGE-REQUEST asks for it'
      : undefined
  return { report: reportOf(possible, fault ?? reason, controls), fault }
}

function isAlive({ first, after }: Trial): boolean {
  return after?.type === 'answered' && after.mapped.equals(first.mapped)
}

/**
 * Whether the server answers from where it is asked to, seen where nothing can filter the answer: at a mapping that has
 * sent to that very address. Where mappings depend on the destination that is another one than the request's, and
 * RESPONSE-PORT leads there (RFC 5780 §7.5). null if that cannot be found out.
 */
async function honours(input: FilteringInput, changeIp: boolean): Promise<boolean | null> {
  const { run, alternates, mappingSocket, mapping, mappingAnswers } = input
  const { a1p1, a1p2, a2p2 } = alternates
  const from = changeIp ? a2p2 : a1p2
  const change = ['CHANGE-REQUEST', { changeIp, changePort: true }] as const
  if (mapping === 'EIM') {
    const asked = await mappingSocket.ask(a1p1, { attributes: [change], from })
    return asked.type === 'answered' ? true : asked.type === 'cut' ? null : false
  }
  const asker = mappingAnswers.find(({ destination }) => destination.equals(a1p1))
  const target = await ProbeSocket.open(run, mappingSocket.local)
  if (typeof target === 'string' || asker === undefined) return null
  const there = await target.ask(from)
  // Another public address than the request's is nowhere that RESPONSE-PORT could lead.
  if (there.type !== 'answered' || !isSameIp(there.mapped, asker.mapped)) return null
  const asked = await mappingSocket.ask(a1p1, {
    attributes: [change, ['RESPONSE-PORT', there.mapped.port]],
    from,
    at: target,
  })
  return asked.type === 'answered' ? true : null
}

/**
 * After the packet that nobody asked for was dropped: does the NAT still use the same mapping toward its sender? Linux
 * without a rule that drops such packets does not, and hole punching fails where the other side is first.
 */
async function poison(
  { alternates, mapping, mappingAnswers }: FilteringInput,
  two: Trial,
): Promise<Finding<boolean>> {
  if (mapping !== 'EIM') return unknown('mappings differ by destination anyway')
  if (!mappingAnswers.some(({ destination }) => destination.equals(alternates.a2p2))) {
    return unknown('the alternate address of the server does not answer')
  }
  if (two.changed.type !== 'silent' || !isAlive(two))
    return unknown('the mapping was not the same before and after')
  const asked = await two.socket.ask(alternates.a2p2)
  if (asked.type !== 'answered') return unknown(`${alternates.a2p2} did not answer`)
  if (asked.mapped.equals(two.first.mapped)) return known(false)
  const again = await two.socket.ask(alternates.a1p1)
  return again.type === 'answered' && again.mapped.equals(two.first.mapped)
    ? known(true)
    : unknown('the mapping changed while it was measured')
}

export function reportOf(
  possible: readonly Filtering[],
  reason: string,
  controls: Partial<FilteringReport['controls']> = {},
): FilteringReport {
  const none = { alternatesAnswer: null, sourceChecked: null, stillAlive: null, changeRequestHonoured: null }
  return { ...narrowed(possible, reason), controls: { ...none, ...controls } }
}
