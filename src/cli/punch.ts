/** `turnpike punch`: two hosts try for real, with their codes copied and pasted or exchanged in a signaling room. */

import { Command } from 'commander'
import { TurnpikeError } from '../core/errors.ts'
import type { Host } from '../core/host.ts'
import { anonymizedPunch } from '../probe/anonymize.ts'
import type { KnownNetwork } from '../probe/predict.ts'
import type { Punch, PunchReport } from '../probe/punch.ts'
import { decodePunchCode, encodePunchCode, type PunchOffer } from '../probe/punch-code.ts'
import { formatServerUri, parseServerUri, type ServerUri } from '../stun/uri.ts'
import { type End, type ExitCode, exitCodes } from './exit-codes.ts'
import { addOutputFlags, type OutputFlags, show } from './output.ts'
import { readSecretFile } from './parse-credentials.ts'
import { integerBetween } from './parse-options.ts'
import { parseStunUri } from './parse-uris.ts'
import { readReport } from './predict.ts'
import { explainFault, type PunchMeeting, pastedMeeting } from './punch-paste.ts'
import { punchScreen } from './punch-screen.ts'
import { type Progress, progressOn } from './screen/progress.ts'

interface PunchFlags extends OutputFlags {
  readonly stun?: ServerUri
  readonly signal?: string
  readonly room: string
  readonly keyFile?: string
  readonly report?: string
  readonly seconds: number
  readonly wait: number
}

export function punchCommand(end: End): Command {
  const command = new Command('punch')
    .argument('[code]', 'what turnpike punch shows on the other host; without one, this host is the first')
    .option('--stun <uri>', 'the STUN server to ask (default: the one that the code names)', parseStunUri)
    .option('--signal <url>', 'meet there instead of copying codes, such as wss://turn.example.org/signaling')
    .option('--room <room>', 'for --signal: the room to meet in, the same on both hosts', 'punch')
    .option('--key-file <file>', 'for --signal: the key of the room, where it asks for one')
    .option('--report <file>', 'what turnpike nat --json has written here, instead of measuring again')
    .option('--seconds <n>', 'how long to try', integerBetween(1, 300, 'seconds'), 10)
    .option(
      '--wait <seconds>',
      'how long to wait for the other side',
      integerBetween(1, 3600, 'seconds'),
      300,
    )
  return addOutputFlags(command, { schema: 'punch-1', verbose: 'every pair that was tried', hasPage: true })
    .addHelpText(
      'after',
      `
Examples, on two hosts:
  $ turnpike punch --stun stun:stun.example.org   shows a code, asks for one
  $ turnpike punch CODE                           shows its own, and tries
Or on both, by a server with --signaling:
  $ turnpike punch --stun stun:turn.example.org \\
      --signal wss://turn.example.org/signaling --room ours`,
    )
    .action(async (code: string | undefined, flags: PunchFlags) => {
      end(await runPunch(code, flags))
    })
}

async function runPunch(code: string | undefined, flags: PunchFlags): Promise<ExitCode> {
  const given = code === undefined ? undefined : readCode(code)
  const server = serverOf(given, flags)
  const [{ NodeHost }, probe] = await Promise.all([
    import('../net/node-host.ts'),
    import('../probe/punch.ts'),
  ])
  const host = new NodeHost()
  const progress = progressOn(process.stderr, process.env)
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  process.once('SIGINT', interrupt)
  const { signal } = interrupted
  let punch: Punch | undefined
  try {
    const network =
      flags.report === undefined ? await measure(host, server, progress, signal) : readReport(flags.report)
    progress.show('turnpike punch: gathering candidates …')
    // In a room both believe that they begin, which repairs itself (RFC 8445 §7.3.1.1).
    const role = given === undefined ? 'controlling' : 'controlled'
    punch = await probe.Punch.open(host, { role, servers: [formatServerUri(server)], network })
    progress.clear()
    const meeting = await meetingOf(given, flags, signal)
    const remote = await meeting.exchange(encodePunchCode(punch.offer))
    progress.show('turnpike punch: trying …')
    const report = await punch.connect(remote, {
      limitMs: 1000 * (meeting.isPeerLate ? flags.wait : flags.seconds),
      isPeerLate: meeting.isPeerLate,
      signal,
    })
    meeting.close()
    progress.clear()
    return await tell(report, flags, signal)
  } finally {
    process.off('SIGINT', interrupt)
    progress.clear()
    punch?.close()
  }
}

function readCode(text: string): PunchOffer {
  const decoded = decodePunchCode(text)
  if (typeof decoded !== 'string') return decoded
  throw new TurnpikeError('configuration-invalid', `the code is of no use: ${explainFault(decoded)}`)
}

function serverOf(given: PunchOffer | undefined, { stun }: PunchFlags): ServerUri {
  if (stun !== undefined) return stun
  if (given !== undefined && given.server !== '') {
    process.stderr.write(`asking stun:${given.server}, which the code names\n`)
    return parseServerUri(`stun:${given.server}`)
  }
  throw new TurnpikeError(
    'configuration-invalid',
    'name a STUN server, which says how this host looks from outside: --stun stun:stun.example.org',
  )
}

/** Our own NAT, for the prediction. */
async function measure(
  host: Host,
  server: ServerUri,
  progress: Progress,
  signal: AbortSignal,
): Promise<KnownNetwork> {
  const { probeNat } = await import('../probe/nat.ts')
  return probeNat(host, {
    servers: [server],
    signal,
    onStep: (text) => progress.show(`turnpike punch: ${text} …`),
  })
}

async function meetingOf(
  given: PunchOffer | undefined,
  flags: PunchFlags,
  signal: AbortSignal,
): Promise<PunchMeeting> {
  const { signal: url, room, keyFile, wait } = flags
  if (url === undefined) return pastedMeeting(given, process.stdin, process.stderr, signal)
  const token = keyFile === undefined ? undefined : readSecretFile('--key-file', keyFile, () => {}).trim()
  const { roomMeeting } = await import('./punch-room.ts')
  return roomMeeting({
    url,
    room,
    token,
    waitMs: wait * 1000,
    signal,
    say: (text) => process.stderr.write(text),
  })
}

async function tell(measured: PunchReport, flags: PunchFlags, signal: AbortSignal): Promise<ExitCode> {
  const report = flags.anonymize === true ? anonymizedPunch(measured) : measured
  await show(report, punchScreen(report, { verbose: flags.verbose === true }), flags)
  if (signal.aborted) return exitCodes.interrupted
  if (report.connected.value === null) return exitCodes.inconclusive
  return report.connected.value ? exitCodes.success : exitCodes.failed
}
