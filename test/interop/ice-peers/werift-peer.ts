/** werift's own ICE as a peer, driven by lines of JSON on stdin: see test/support/ice-peer.ts. */

import { createInterface } from 'node:readline'
import { Candidate, Connection } from 'werift'

const config = JSON.parse(process.argv[2]!)
const tell = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`)
const { turn } = config

const connection = new Connection(config.role === 'controlling', {
  useIpv6: false,
  interfaceAddresses: { udp4: config.address },
  additionalHostAddresses: [config.address],
  stunServer: undefined,
  iceLite: config.lite === true,
  ...(turn && {
    turnServer: [turn.host, turn.port],
    turnUsername: turn.username,
    turnPassword: turn.password,
    turnTransport: turn.transport,
    forceTurn: true,
  }),
} as never)

connection.stateChanged.subscribe((state) => tell({ event: 'state', state }))
connection.onData.subscribe((data) => {
  tell({ event: 'data', text: data.toString() })
  connection.send(Buffer.concat([Buffer.from('echo '), data])).catch(() => {})
})

async function describe(): Promise<void> {
  await connection.gatherCandidates()
  tell({ event: 'description', ufrag: connection.localUsername, pwd: connection.localPassword })
  for (const candidate of connection.localCandidates) {
    if (turn === undefined && candidate.host !== config.address) continue
    tell({ event: 'candidate', candidate: `candidate:${candidate.toSdp()}` })
  }
  tell({ event: 'gathered' })
}

async function handle(command: { command: string; [key: string]: string }): Promise<void> {
  switch (command.command) {
    case 'remote':
      connection.setRemoteParams({
        iceLite: config.remoteLite === true,
        usernameFragment: command.ufrag!,
        password: command.pwd!,
      })
      connection.connect().catch((error) => tell({ event: 'state', state: 'failed', reason: `${error}` }))
      return
    case 'candidate':
      await connection.addRemoteCandidate(Candidate.fromSdp(command.candidate!.replace('candidate:', '')))
      return
    case 'end':
      await connection.addRemoteCandidate(undefined)
      return
    case 'restart':
      await connection.restart()
      await describe()
      return
    default:
      throw new Error(`no such command: ${command.command}`)
  }
}

await describe()
// One after the other, as they come.
let last = Promise.resolve()
createInterface({ input: process.stdin })
  .on('line', (line) => {
    last = last.then(() => handle(JSON.parse(line)))
  })
  .on('close', () => process.exit(0))
