/** The path that a call takes, read from its statistics: between which addresses, through TURN or not, how well. */

export interface PathEnd {
  /** host, srflx, prflx or relay, as ICE names them. */
  readonly type: string
  /** undefined where the browser keeps it to itself. */
  readonly address: string | undefined
  readonly protocol: string
  /** The TURN server, for a relayed end of ours. */
  readonly server: string | undefined
}

export interface Path {
  readonly own: PathEnd
  readonly remote: PathEnd
  readonly roundTripMs: number | undefined
  readonly sentBitsPerSecond: number
  readonly receivedBitsPerSecond: number
  /** Of the last interval, 0 to 1; undefined while nothing was expected. */
  readonly loss: number | undefined
}

export function isRelayed({ own, remote }: Path): boolean {
  return own.type === 'relay' || remote.type === 'relay'
}

interface Totals {
  readonly at: number
  readonly sent: number
  readonly received: number
  readonly packets: number
  readonly lost: number
}

type Entry = Readonly<Record<string, unknown>>

/** Reads the path again and again; rates are over the time since it was last read. */
export class PathReader {
  readonly #connection: RTCPeerConnection
  #last: Totals | undefined

  constructor(connection: RTCPeerConnection) {
    this.#connection = connection
  }

  /** undefined while there is no path. */
  async read(): Promise<Path | undefined> {
    const report = (await this.#connection.getStats()) as unknown as ReadonlyMap<string, Entry>
    const pair = selectedPair(report)
    if (pair === undefined) return undefined
    const totals = totalsOf(report, pair)
    const last = this.#last ?? totals
    this.#last = totals
    const seconds = (totals.at - last.at) / 1000
    const rate = (bytes: number) => (seconds > 0 ? Math.max(0, bytes * 8) / seconds : 0)
    const lost = totals.lost - last.lost
    const expected = totals.packets - last.packets + lost
    return {
      own: endOf(report.get(String(pair.localCandidateId))),
      remote: endOf(report.get(String(pair.remoteCandidateId))),
      roundTripMs:
        typeof pair.currentRoundTripTime === 'number' ? pair.currentRoundTripTime * 1000 : undefined,
      sentBitsPerSecond: rate(totals.sent - last.sent),
      receivedBitsPerSecond: rate(totals.received - last.received),
      loss: expected > 0 ? Math.max(0, lost) / expected : undefined,
    }
  }
}

function selectedPair(report: ReadonlyMap<string, Entry>): Entry | undefined {
  const entries = [...report.values()]
  const transport = entries.find(({ type }) => type === 'transport')
  const selected = report.get(String(transport?.selectedCandidatePairId))
  return (
    selected ??
    entries.find(({ type, selected: isSelected }) => type === 'candidate-pair' && isSelected === true)
  )
}

function totalsOf(report: ReadonlyMap<string, Entry>, pair: Entry): Totals {
  let packets = 0
  let lost = 0
  for (const entry of report.values()) {
    if (entry.type !== 'inbound-rtp') continue
    packets += Number(entry.packetsReceived ?? 0)
    lost += Number(entry.packetsLost ?? 0)
  }
  return {
    at: Number(pair.timestamp),
    sent: Number(pair.bytesSent ?? 0),
    received: Number(pair.bytesReceived ?? 0),
    packets,
    lost,
  }
}

function endOf(candidate: Entry | undefined): PathEnd {
  const address = candidate?.address ?? candidate?.ip
  const host = typeof address === 'string' && address !== '' ? address : undefined
  const port = candidate?.port
  const relayProtocol = candidate?.relayProtocol
  return {
    type: String(candidate?.candidateType ?? 'unknown'),
    address: host === undefined ? undefined : `${host.includes(':') ? `[${host}]` : host}:${port}`,
    protocol: String(relayProtocol ?? candidate?.protocol ?? 'udp'),
    server:
      typeof candidate?.url === 'string' && candidate.candidateType === 'relay' ? candidate.url : undefined,
  }
}
