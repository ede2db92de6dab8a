/** What src/core/host.ts promises of every Host. */

import { describe, expect, test } from 'vitest'
import { later } from '../../src/core/time.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'
import { connect, listen } from '../support/probe-stream.ts'

function hosts() {
  const internet = new Internet({ seed: 1 })
  return { internet, x: internet.host(), y: internet.host() }
}

describe('binding UDP', () => {
  test.each([
    ['an address of another host', TransportAddress.of('20.0.0.3', 5000), 'bind EADDRNOTAVAIL'],
    ['a port in use', TransportAddress.of('20.0.0.2', 4000), 'bind EADDRINUSE'],
    ['the wildcard address with a port in use', TransportAddress.of('0.0.0.0', 4000), 'bind EADDRINUSE'],
    ['a port that the wildcard address has', TransportAddress.of('20.0.0.2', 4001), 'bind EADDRINUSE'],
  ])('%s fails', (_, address, failure) => {
    const { internet, x } = hosts()
    new ProbeSocket(x, { port: 4000 })
    new ProbeSocket(x, { address: TransportAddress.of('0.0.0.0', 4001) })
    internet.run()
    const socket = new ProbeSocket(x, { address })
    expect(socket.failures).toEqual([])
    internet.run()
    expect(socket.failures).toEqual([failure])
  })

  test('port 0 is any free port; a closed socket frees its own', () => {
    const { internet, x } = hosts()
    const sockets = [new ProbeSocket(x), new ProbeSocket(x)]
    expect(sockets[0]!.local).toBeUndefined()
    internet.run()
    expect(sockets[0]!.local!.port).toBeGreaterThan(32_000)
    expect(sockets[0]!.local!.port).not.toBe(sockets[1]!.local!.port)
    sockets[0]!.socket.close()
    const again = new ProbeSocket(x, { address: sockets[0]!.local! })
    internet.run()
    expect(again.failures).toEqual([])
  })

  test('IPv4 and IPv6 have ports of their own', () => {
    const { internet, x } = hosts()
    const sockets = ['0.0.0.0', '::'].map(
      (ip) => new ProbeSocket(x, { address: TransportAddress.of(ip, 4000) }),
    )
    internet.run()
    expect(sockets.map(({ failures }) => failures)).toEqual([[], []])
  })
})

describe('sending UDP', () => {
  test.each([
    ['port 0', TransportAddress.of('20.0.0.3', 0), 3, 'ERR_SOCKET_BAD_PORT'],
    ['too much', TransportAddress.of('20.0.0.3', 9), 65_508, 'EMSGSIZE'],
    ['another family', TransportAddress.of('2600::9', 9), 3, 'EAFNOSUPPORT'],
  ])('%s fails, after the call', (_, destination, bytes, failure) => {
    const { internet, x } = hosts()
    const socket = new ProbeSocket(x, { port: 4000 })
    internet.run()
    socket.socket.send(new Uint8Array(bytes), destination)
    expect(socket.failures).toEqual([])
    internet.run()
    expect(socket.failures).toEqual([failure])
  })

  test('what arrives belongs to the receiver', () => {
    const { internet, x, y } = hosts()
    const sender = new ProbeSocket(x, { port: 1 })
    const sent = Uint8Array.of(1, 2, 3)
    y.bindUdp(
      { address: y.address(2) },
      { bound: () => {}, failed: () => {}, sendFailed: () => {}, datagram: (bytes) => bytes.fill(0) },
    )
    internet.run()
    sender.socket.send(sent, y.address(2))
    internet.run()
    expect(sent).toEqual(Uint8Array.of(1, 2, 3))
  })

  test('a host reaches itself, by its address and by loopback', () => {
    const { internet, x } = hosts()
    const own = new ProbeSocket(x, { port: 1 })
    const loopback = new ProbeSocket(x, { address: TransportAddress.of('127.0.0.1', 2) })
    internet.run()
    own.send('one', own.local!)
    loopback.send('two', loopback.local!)
    internet.run()
    expect([own.texts, loopback.texts]).toEqual([['one'], ['two']])
    expect(internet.now).toBe(0)
  })
})

describe('after close', () => {
  test('a UDP socket hears nothing, not even that it is bound', () => {
    const { internet, x, y } = hosts()
    const closedAtOnce = new ProbeSocket(x, { port: 1 })
    closedAtOnce.socket.close()
    const socket = new ProbeSocket(x, { port: 2 })
    const other = new ProbeSocket(y, { port: 3 })
    internet.run()
    other.send('hello', socket.local!)
    socket.send('to port 0', TransportAddress.of('20.0.0.3', 0))
    socket.socket.close()
    socket.socket.close()
    internet.run()
    expect(closedAtOnce.local).toBeUndefined()
    expect([socket.texts, socket.failures]).toEqual([[], []])
  })

  test('a stream hears nothing', () => {
    const { internet, x, y } = hosts()
    const { streams } = listen(y, 80)
    internet.run()
    const early = connect(x, y.address(80))
    early.stream.close()
    const late = connect(x, y.address(80))
    internet.run({ until: () => streams.length > 0 })
    streams[0]!.stream.write(new Uint8Array(10))
    late.stream.close()
    internet.run()
    expect([early.recorder.lines, late.recorder.lines, late.recorder.bytes]).toEqual([[], ['40 opened'], 0])
  })

  test('a listener takes no connection in, and its port is free', () => {
    const { internet, x, y } = hosts()
    const first = listen(y, 80)
    internet.run()
    first.listener.close()
    const { recorder } = connect(x, y.address(80))
    internet.run()
    expect(recorder.lines).toEqual(['40 failed ECONNREFUSED'])
    const second = listen(y, 80)
    internet.run()
    expect(second.faults).toEqual([])
  })
})

describe('TCP ports', () => {
  test('a connection from the port of a listener needs both to say so', () => {
    const { internet, x, y } = hosts()
    listen(y, 80)
    listen(x, 5000)
    listen(x, 5001, undefined, { isShared: true })
    internet.run()
    const trial = (port: number, fromListener: boolean) =>
      connect(x, y.address(80), { local: x.address(port), fromListener })
    const trials = [trial(5000, true), trial(5001, false), trial(5001, true)]
    internet.run()
    expect(trials.map(({ recorder }) => recorder.lines)).toEqual([
      ['0 failed EADDRINUSE'],
      ['0 failed EADDRINUSE'],
      ['40 opened'],
    ])
    expect(trials[2]!.stream.local.port).toBe(5001)
  })

  test('a listener may turn a connection away', () => {
    const { internet, x, y } = hosts()
    const seen: string[] = []
    y.listenTcp(
      { address: y.address(80) },
      {
        bound: () => {},
        failed: () => {},
        acceptFailed: () => {},
        handshakeFailed: () => {},
        admit: (remote) => {
          seen.push(remote.ip)
          return false
        },
        connection: () => {
          throw new Error('turned away')
        },
      },
    )
    internet.run()
    const { recorder } = connect(x, y.address(80))
    internet.run({ for: 1000 })
    expect(seen).toEqual([x.address().ip])
    expect(recorder.lines).toEqual(['40 opened', '80 ended'])
  })
})

describe('the clock', () => {
  test('calls back at its time and in order, unless cancelled', () => {
    const { internet, x } = hosts()
    const calls: string[] = []
    const { clock } = x
    clock.schedule(later(clock.now(), 20), () => calls.push(`second ${clock.now()}`))
    clock.schedule(later(clock.now(), 10), () => calls.push(`first ${clock.now()}`))
    const cancel = clock.schedule(later(clock.now(), 15), () => calls.push('cancelled'))
    clock.schedule(later(clock.now(), 20), () => calls.push(`third ${clock.now()}`))
    cancel()
    internet.run()
    expect(calls).toEqual(['first 10', 'second 20', 'third 20'])
    expect(clock.epochSeconds()).toBe(1_800_000_000)
  })
})
