/** The same with two of werift's own ICE connections, in one process as well. */

import { Connection } from 'werift'
import { report, type Sample } from './sample.ts'

await report(async (): Promise<Sample> => {
  const open = (isControlling: boolean) =>
    new Connection(isControlling, {
      useIpv6: false,
      interfaceAddresses: { udp4: '127.0.0.1' },
      additionalHostAddresses: ['127.0.0.1'],
      stunServer: undefined,
      turnServer: undefined,
    } as never)
  const [a, b] = [open(true), open(false)]
  await Promise.all([a.gatherCandidates(), b.gatherCandidates()])
  const isLoopback = ({ host }: { host: string }) => host === '127.0.0.1'
  for (const [to, from] of [
    [a, b],
    [b, a],
  ] as const) {
    to.setRemoteParams({ iceLite: false, usernameFragment: from.localUsername, password: from.localPassword })
  }
  const start = performance.now()
  for (const [to, from] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const candidate of from.localCandidates.filter(isLoopback)) await to.addRemoteCandidate(candidate)
    await to.addRemoteCandidate(undefined)
  }
  await Promise.all([a.connect(), b.connect()])
  const took = performance.now() - start
  await Promise.all([a.close(), b.close()])
  return { connected: took, completed: took }
})
