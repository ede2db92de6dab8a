import { describe, expect, test } from 'vitest'
import type { TlsServerOptions } from '../../src/core/host.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { simulatedCertificate } from '../../src/sim/certificate.ts'
import { Internet } from '../../src/sim/internet.ts'
import { connect, listen } from '../support/probe-stream.ts'

function pair() {
  const internet = new Internet({ seed: 1 })
  return { internet, client: internet.host(), server: internet.host() }
}

describe('TCP', () => {
  test('opens after one round trip, carries bytes in half of one, and ends', () => {
    const { internet, client, server } = pair()
    const { streams } = listen(server, 80)
    internet.run()
    const { stream, recorder } = connect(client, server.address(80))
    internet.run({ until: () => recorder.lines.length > 0 })
    expect(recorder.lines).toEqual(['40 opened'])
    stream.write(new Uint8Array(10_000))
    stream.end()
    internet.run()
    expect(streams[0]?.recorder.bytes).toBe(10_000)
    expect(streams[0]?.recorder.lines).toEqual(['60 ended'])
    streams[0]?.stream.end()
    internet.run()
    expect(streams[0]?.recorder.lines).toEqual(['60 ended', '120 closed undefined'])
    expect(recorder.lines).toEqual(['40 opened', '100 ended', '100 closed undefined'])
  })

  test('is refused where nobody listens', () => {
    const { internet, client, server } = pair()
    const { recorder } = connect(client, server.address(80))
    internet.run()
    expect(recorder.lines).toEqual(['40 failed ECONNREFUSED'])
  })

  test('times out where nobody answers', () => {
    const { internet, client } = pair()
    const { recorder } = connect(client, TransportAddress.of('20.0.9.9', 80), { timeoutMs: 5000 })
    internet.run()
    expect(recorder.lines).toEqual(['5000 failed ETIMEDOUT'])
  })

  test('goes on after a loss, also while more and more is written', () => {
    const internet = new Internet({ seed: 1, link: { loss: 0.03, delayMs: 10 } })
    const [client, server] = [internet.host(), internet.host()]
    const { streams } = listen(server, 80)
    internet.run()
    const { stream, recorder } = connect(client, server.address(80))
    internet.run({ until: () => recorder.lines.length > 0 && streams.length > 0 })
    const arrivals = [internet.now]
    streams[0]!.recorder.onData = () => arrivals.push(internet.now)
    const writes = 4000
    for (let i = 0; i < writes; i++) {
      internet.at(internet.now + i * 20, () => stream.write(new Uint8Array(1000)))
    }
    internet.run({ for: writes * 20 + 10_000 })
    expect(streams[0]!.recorder.bytes).toBe(writes * 1000)
    const gaps = arrivals.slice(1).map((at, i) => at - arrivals[i]!)
    expect(Math.max(...gaps)).toBeLessThan(5000)
  })

  test('delivers everything in order over a line that loses, reorders and duplicates', () => {
    const internet = new Internet({ seed: 3, link: { loss: 0.1, reorder: 0.1, duplicate: 0.1, delayMs: 10 } })
    const [client, server] = [internet.host(), internet.host()]
    const { streams } = listen(server, 80)
    internet.run()
    const sent = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 255)
    const received: Uint8Array[] = []
    const { stream, recorder } = connect(client, server.address(80))
    internet.run({ until: () => recorder.lines.length > 0 && streams.length > 0 })
    streams[0]!.recorder.onData = (bytes) => received.push(bytes)
    stream.write(sent)
    internet.run({ for: 60_000 })
    expect(Buffer.compare(Buffer.concat(received), sent)).toBe(0)
  })

  test('holds the sender back while the receiver pauses', () => {
    const { internet, client, server } = pair()
    const { streams } = listen(server, 80)
    internet.run()
    const { stream, recorder } = connect(client, server.address(80))
    internet.run({ until: () => streams.length > 0 && recorder.lines.length > 0 })
    streams[0]!.stream.pause()
    stream.write(new Uint8Array(1_000_000))
    internet.run({ for: 10_000 })
    expect(stream.pendingBytes).toBeGreaterThan(400_000)
    expect(streams[0]!.recorder.bytes).toBe(0)
    streams[0]!.stream.resume()
    internet.run({ for: 60_000 })
    expect(streams[0]!.recorder.bytes).toBe(1_000_000)
    expect(stream.pendingBytes).toBe(0)
    expect(recorder.lines.at(-1)).toMatch(/drained/)
  })

  test('a side that closes at once is heard of by the other, and leaves nothing behind', () => {
    const { internet, client, server } = pair()
    const { streams } = listen(server, 80)
    internet.run()
    const { stream, recorder } = connect(client, server.address(80))
    internet.run({ until: () => streams.length > 0 })
    streams[0]!.stream.close()
    stream.write(new Uint8Array(10))
    internet.run({ for: 100_000 })
    expect(recorder.lines).toEqual(['40 opened', '80 ended', '100 closed ECONNRESET'])
    expect(internet.run()).toBe(true)
  })

  test('simultaneous open connects two hosts behind NATs', () => {
    const internet = new Internet({ seed: 1 })
    const [x, y] = [internet.nat(), internet.nat()]
    const [a, b] = [x.host(), y.host()]
    const one = connect(a, y.addresses[0]!.withPort(5000), { local: a.address(5000) })
    const two = connect(b, x.addresses[0]!.withPort(5000), { local: b.address(5000) })
    internet.run({ for: 200 })
    expect([one, two].map(({ recorder }) => recorder.lines)).toEqual([['40 opened'], ['40 opened']])
  })
})

describe('TLS', () => {
  const tls: TlsServerOptions = {
    certificates: [simulatedCertificate({ names: ['turn.example', '20.0.0.3'] })],
    alpn: ['stun.turn'],
    handshakeTimeoutMs: 5000,
  }

  test('takes one round trip more, and tells the certificate and the protocol', () => {
    const { internet, client, server } = pair()
    const { streams } = listen(server, 443, tls)
    internet.run()
    const { recorder } = connect(client, server.address(443), {
      tls: { serverName: 'turn.example', alpn: ['stun.turn'] },
    })
    internet.run({ for: 1000 })
    expect(recorder.lines).toEqual(['80 opened stun.turn valid'])
    expect(streams).toHaveLength(1)
  })

  test.each([
    ['CERT_HAS_EXPIRED', simulatedCertificate({ names: ['turn.example'], validTo: 1_799_999_999 })],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', simulatedCertificate({ names: ['turn.example'], selfSigned: true })],
    ['ERR_TLS_CERT_ALTNAME_INVALID', simulatedCertificate({ names: ['other.example'] })],
  ])('refuses a certificate: %s', (code, certificate) => {
    const { internet, client, server } = pair()
    const { faults } = listen(server, 443, { ...tls, certificates: [certificate] })
    internet.run()
    const strict = connect(client, server.address(443), { tls: { serverName: 'turn.example', alpn: [] } })
    const lenient = connect(client, server.address(443), {
      tls: { serverName: 'turn.example', alpn: [], allowInvalid: true },
    })
    internet.run({ for: 1000 })
    expect(strict.recorder.lines).toEqual([`80 failed ${code}`])
    expect(lenient.recorder.lines).toEqual([`80 opened undefined ${code}`])
    expect(faults).toEqual(['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE'])
  })

  test('fails against a port that speaks something else, on either side', () => {
    const { internet, client, server } = pair()
    const plain = listen(server, 80)
    const secure = listen(server, 443, tls)
    internet.run()
    const one = connect(client, server.address(443))
    const two = connect(client, server.address(80), { tls: { serverName: undefined, alpn: [] } })
    internet.run({ until: () => one.recorder.lines.length > 0 && plain.streams.length > 0 })
    one.stream.write(Uint8Array.of(1, 2, 3))
    plain.streams[0]!.stream.write(Uint8Array.of(1, 2, 3))
    internet.run({ for: 1000 })
    expect(secure.faults).toEqual(['ERR_SSL_WRONG_VERSION_NUMBER'])
    expect(two.recorder.lines).toEqual(['80 failed ERR_SSL_WRONG_VERSION_NUMBER'])
  })
})
