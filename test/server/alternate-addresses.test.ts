/** NAT behavior discovery as it is configured, tried at start-up and served (RFC 5780 §6). */

import { describe, expect, it } from 'vitest'
import type { Host } from '../../src/core/host.ts'
import { later } from '../../src/core/time.ts'
import { type AddressWords, TransportAddress } from '../../src/core/transport-address.ts'
import {
  type AlternateConfig,
  alternateListeners,
  alternatesOf,
  defaultAlternateConfig,
} from '../../src/server/alternate-config.ts'
import { type SelfTestResult, testAlternates } from '../../src/server/alternate-self-test.ts'
import { defaultConfig, type ListenAddress } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { Place } from '../../src/sim/places.ts'
import type { Attribute } from '../../src/stun/attributes.ts'
import { encodeMessage } from '../../src/stun/encode.ts'
import { decodeMessage, type Message } from '../../src/stun/message.ts'

const first = '203.0.113.1'
const second = '203.0.113.2'
const ip = (text: string) => TransportAddress.of(text, 0)

function listen(...uris: string[]): ListenAddress[] {
  return uris.map((uri) => {
    const [transport, address] = uri.split('://')
    return {
      transport: transport as ListenAddress['transport'],
      address: TransportAddress.parse(address!),
      isOptional: false,
    }
  })
}

function config(more: Partial<AlternateConfig> = {}): AlternateConfig {
  return { ...defaultAlternateConfig, alternateAddresses: [ip(second)], ...more }
}

describe('--alternate-address', () => {
  it('makes four addresses of two, the second port after the first', () => {
    const listeners = listen(`udp://${first}:3478`)
    const [group, ...more] = alternatesOf(config(), listeners)
    expect(more).toEqual([])
    expect(group?.bound.map(String)).toEqual([
      `${first}:3478`,
      `${first}:3479`,
      `${second}:3478`,
      `${second}:3479`,
    ])
    expect(group?.advertised).toEqual(group?.bound)
    expect(alternateListeners([group!], listeners).map(({ address }) => `${address}`)).toEqual([
      `${first}:3479`,
      `${second}:3478`,
      `${second}:3479`,
    ])
  })

  it('goes for TCP and TLS as well where they listen at a named address', () => {
    const listeners = listen(`udp://${first}:3478`, `tcp://${first}:3478`, `tls://${first}:5349`)
    const groups = alternatesOf(config({ alternatePort: 4000 }), listeners)
    expect(groups.map(({ transport, bound }) => `${transport} ${bound[3]}`)).toEqual([
      `udp ${second}:4000`,
      `tcp ${second}:3479`,
      `tls ${second}:5350`,
    ])
  })

  it('is one for each family', () => {
    const groups = alternatesOf(
      config({ alternateAddresses: [ip(second), ip('2001:db8::2')] }),
      listen(`udp://${first}:3478`, 'udp://[2001:db8::1]:3478'),
    )
    expect(groups.map(({ bound }) => `${bound[3]}`)).toEqual([`${second}:3479`, '[2001:db8::2]:3479'])
  })

  it('is known outside by what --advertise says', () => {
    const [group] = alternatesOf(
      config({
        alternateAddresses: [ip('10.0.0.2')],
        advertised: [
          { inside: ip('10.0.0.1'), outside: ip(first) },
          { inside: ip('10.0.0.2'), outside: ip(second) },
        ],
      }),
      listen('udp://10.0.0.1:3478'),
    )
    expect(group?.bound.map(({ ip }) => ip)).toEqual(['10.0.0.1', '10.0.0.1', '10.0.0.2', '10.0.0.2'])
    expect(group?.advertised.map(String)).toEqual([
      `${first}:3478`,
      `${first}:3479`,
      `${second}:3478`,
      `${second}:3479`,
    ])
  })

  it('is nothing unless it is given', () => {
    expect(alternatesOf(defaultAlternateConfig, listen(`udp://${first}:3478`))).toEqual([])
  })

  const named = listen(`udp://${first}:3478`)
  const refusals: [string, AlternateConfig, ListenAddress[], RegExp][] = [
    ['only wildcards listen', config(), listen('udp://0.0.0.0:3478'), /needs the first address by name/],
    ['the system chooses the port', config(), listen(`udp://${first}:0`), /with its port/],
    ['only TCP listens', config(), listen(`tcp://${first}:3478`), /add --listen udp:/],
    ['only the other family listens', config(), listen('udp://[2001:db8::1]:3478'), /--listen udp:/],
    [
      'it is the first address',
      config({ alternateAddresses: [ip(first)] }),
      named,
      /the first address itself/,
    ],
    ['the second port is the first', config({ alternatePort: 3478 }), named, /the first port itself/],
    ['no port comes after the first', config(), listen(`udp://${first}:65535`), /no port comes after 65535/],
    [
      'it is given twice for one family',
      config({ alternateAddresses: [ip(second), ip('203.0.113.3')] }),
      named,
      /twice for one family/,
    ],
    [
      'there is only a second port',
      config({ alternateAddresses: [], alternatePort: 4000 }),
      named,
      /--alternate-port needs an --alternate-address/,
    ],
    [
      '--advertise names another address',
      config({ advertised: [{ inside: ip('10.0.0.9'), outside: ip(first) }] }),
      named,
      /--advertise 10\.0\.0\.9=203\.0\.113\.1/,
    ],
  ]
  it.each(refusals)('is refused when %s', (_name, given, listeners, message) => {
    expect(() => alternatesOf(given, listeners)).toThrow(message)
  })
})

/** The host, but that what it sends over some ways is lost, as a packet filter would have it. */
function filtered(host: Host, isLost: (from: TransportAddress, to: AddressWords) => boolean): Host {
  return {
    clock: host.clock,
    random: host.random,
    bindUdp: (options, handlers) => {
      const socket = host.bindUdp(options, handlers)
      return {
        receiveBufferBytes: socket.receiveBufferBytes,
        send: (bytes, to) => {
          if (!isLost(options.address, to)) socket.send(bytes, to)
        },
        setTtl: (hops) => socket.setTtl(hops),
        close: () => socket.close(),
      }
    },
    listenTcp: (options, handlers) => host.listenTcp(options, handlers),
    connectTcp: (options, handlers) => host.connectTcp(options, handlers),
    resolve: (query, callback) => host.resolve(query, callback),
    interfaces: () => host.interfaces(),
    sourceFor: (remote) => host.sourceFor(remote),
  }
}

function serverHost(): { internet: Internet; host: SimHost } {
  const internet = new Internet({ seed: 1 })
  return { internet, host: internet.host({ addresses: [first, second] }) }
}

describe('the self-test at start-up', () => {
  const addresses = [3478, 3479].flatMap((port) =>
    [first, second].map((text) => TransportAddress.of(text, port)),
  )

  function test(internet: Internet, host: Host): SelfTestResult[] {
    const results: SelfTestResult[] = []
    testAlternates(addresses, host, (result) => results.push(result))
    internet.run({ for: 10_000 })
    return results
  }

  it('passes where each address reaches each, and leaves them free', () => {
    const { internet, host } = serverHost()
    expect(test(internet, host)).toEqual([{ type: 'passed' }])
    expect(test(internet, host)).toEqual([{ type: 'passed' }])
  })

  it('passes although packets are lost', () => {
    const { internet, host } = serverHost()
    let sent = 0
    const lossy = filtered(host, () => sent++ % 3 !== 0)
    expect(test(internet, lossy)).toEqual([{ type: 'passed' }])
  })

  it('passes in a process that gets no processor for seconds while it starts', () => {
    const { internet, host } = serverHost()
    const { clock } = host
    let looks = 0
    const stalled = new Proxy(host, {
      get: (target, name) => {
        if (name === 'clock') {
          // From the second look on it is ten seconds later.
          const now = () => later(clock.now(), looks++ === 0 ? 0 : 10_000)
          return {
            ...clock,
            now,
            schedule: (_: unknown, callback: () => void) => clock.schedule(later(clock.now(), 1), callback),
          }
        }
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    expect(test(internet, stalled)).toEqual([{ type: 'passed' }])
  })

  it('tells which way nothing arrives', () => {
    const { internet, host } = serverHost()
    const deaf = filtered(host, (from, to) => from.ip === second && to.port === 3479)
    const [result] = test(internet, deaf)
    expect(result).toMatchObject({ type: 'lost' })
    expect(result?.type === 'lost' && `${result.from.ip} ${result.to.port}`).toBe(`${second} 3479`)
  })

  it('tells which address cannot be opened, and closes the others', () => {
    const { internet, host } = serverHost()
    const taken = TransportAddress.of(second, 3479)
    const none = { bound: () => {}, failed: () => {}, datagram: () => {}, sendFailed: () => {} }
    const socket = host.bindUdp({ address: taken }, none)
    internet.run({ for: 10 })
    expect(test(internet, host)).toEqual([{ type: 'refused', address: taken, reason: 'EADDRINUSE' }])
    socket.close()
    expect(test(internet, host)).toEqual([{ type: 'passed' }])
  })
})

describe('a server with two addresses', () => {
  async function started(
    isLost: (from: TransportAddress, to: AddressWords) => boolean = () => false,
    ...more: string[]
  ) {
    const { internet, host } = serverHost()
    const warnings: string[] = []
    const log: Log = {
      debug: () => {},
      info: () => {},
      warn: (line) => void warnings.push(line),
      error: () => {},
    }
    const server = await internet.until(
      startServer(
        {
          ...defaultConfig,
          users: [{ name: 'user', password: 'pass' }],
          listen: listen(`udp://${first}:3478`, ...more),
          ...config(),
        },
        filtered(host, isLost),
        log,
      ),
    )
    return { internet, server, warnings }
  }

  /** What comes back to a new socket at that place, and from where. */
  function ask(
    internet: Internet,
    place: Pick<Place, 'host'>,
    attributes: readonly Attribute[],
  ): { from: string; message: Message }[] {
    const client = place.host()
    const answers: { from: string; message: Message }[] = []
    const socket = client.bindUdp(
      { address: client.address(0) },
      {
        bound: () => {},
        failed: (reason) => {
          throw new Error(reason)
        },
        datagram: (bytes, source) => {
          const message = decodeMessage(bytes.slice())
          if (typeof message === 'string') throw new Error(message)
          answers.push({ from: `${TransportAddress.from(source)}`, message })
        },
        sendFailed: () => {},
      },
    )
    internet.run({ for: 10 })
    const transactionId = client.random.bytes(12)
    const bytes = encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes })
    socket.send(bytes, TransportAddress.of(first, 3478))
    internet.run({ for: 1000 })
    return answers
  }

  const both: Attribute = ['CHANGE-REQUEST', { changeIp: true, changePort: true }]
  const portOnly: Attribute = ['CHANGE-REQUEST', { changeIp: false, changePort: true }]

  it('answers from the other address, which tells NATs apart by what they let in', async () => {
    const { internet, server, warnings } = await started()
    expect(server.listeners.map(({ address }) => `${address}`)).toEqual([
      `${first}:3478`,
      `${first}:3479`,
      `${second}:3478`,
      `${second}:3479`,
    ])
    const fullCone = internet.nat({ filtering: 'endpoint-independent' })
    const restricted = internet.nat({ filtering: 'address-dependent' })
    const portRestricted = internet.nat({ filtering: 'address-and-port-dependent' })
    const arrives = (nat: Place, attribute: Attribute) =>
      ask(internet, nat, [attribute]).map(({ from }) => from)
    expect(arrives(fullCone, both)).toEqual([`${second}:3479`])
    expect(arrives(restricted, both)).toEqual([])
    expect(arrives(restricted, portOnly)).toEqual([`${first}:3479`])
    expect(arrives(portRestricted, portOnly)).toEqual([])
    const [answer] = ask(internet, portRestricted, [])
    expect(`${answer?.message.get('OTHER-ADDRESS')}`).toBe(`${second}:3479`)
    expect(warnings).toEqual([])
    await internet.until(server.close())
  })

  it('tells TCP clients where they are and what else there is', async () => {
    const { internet, server } = await started(undefined, `tcp://${first}:3478`)
    const client = internet.host()
    const answers: Message[] = []
    const nothing = { failed: () => {}, drained: () => {}, ended: () => {}, closed: () => {} }
    const stream = client.connectTcp(
      { remote: TransportAddress.of(second, 3479), timeoutMs: 1000 },
      {
        ...nothing,
        opened: () => {
          const transactionId = client.random.bytes(12)
          const attributes: Attribute[] = [['PADDING', new Uint8Array(200)]]
          stream.write(encodeMessage({ class: 'request', method: 'Binding', transactionId, attributes }))
        },
        data: (bytes) => {
          const message = decodeMessage(bytes.slice())
          if (typeof message !== 'string') answers.push(message)
        },
      },
    )
    await internet.runAsync({ for: 1000 })
    expect(`${answers[0]?.get('RESPONSE-ORIGIN')}`).toBe(`${second}:3479`)
    expect(`${answers[0]?.get('OTHER-ADDRESS')}`).toBe(`${first}:3478`)
    expect(answers[0]?.has('PADDING')).toBe(true)
    stream.close()
    await internet.until(server.close())
  })

  it('does without behavior discovery, and says so, when an address does not work', async () => {
    const { internet, server, warnings } = await started((from) => from.ip === second)
    expect(warnings).toEqual([
      'no behavior discovery: what one of its addresses sends does not arrive at another',
    ])
    expect(server.listeners).toHaveLength(1)
    const [answer] = ask(internet, internet, [])
    expect(answer?.message.types()).toEqual([0x0020])
    const [refused] = ask(internet, internet, [both])
    expect(refused?.message.get('ERROR-CODE')?.code).toBe(420)
    await internet.until(server.close())
  })

  it('does not start when the second address is not there', async () => {
    const internet = new Internet({ seed: 1 })
    const host = internet.host({ addresses: [first] })
    const log: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
    const starting = startServer(
      {
        ...defaultConfig,
        users: [{ name: 'user', password: 'pass' }],
        listen: listen(`udp://${first}:3478`),
        ...config(),
      },
      host,
      log,
    )
    await expect(internet.until(starting)).rejects.toThrow(
      /cannot listen on udp:\/\/203\.0\.113\.2:3478 \(EADDRNOTAVAIL\)/,
    )
  })
})
