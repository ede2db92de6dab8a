import { describe, expect, test } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'

function phone() {
  const internet = new Internet({ seed: 1 })
  const home = internet.nat({ name: 'home' })
  const carrier = internet.nat({ inside: '100.64.0.0/10' })
  const host = home.host({ name: 'wlan0' })
  host.addInterface(carrier, { name: 'rmnet0' })
  const server = new ProbeSocket(internet.host(), { port: 1111 })
  internet.run()
  return { internet, home, carrier, host, server }
}

test('a host has all of its interfaces, and loopback', () => {
  expect(
    phone()
      .host.interfaces()
      .map(({ name, address, internal, prefixLength }) => [name, address.ip, prefixLength, internal]),
  ).toEqual([
    ['lo', '127.0.0.1', 8, true],
    ['lo', '::1', 128, true],
    ['wlan0', '192.168.1.2', 24, false],
    ['rmnet0', '100.64.0.2', 10, false],
  ])
})

test('a socket sends through the interface that it is bound to', () => {
  const { internet, home, carrier, host, server } = phone()
  for (const name of ['wlan0', 'rmnet0']) {
    const address = host.interface(name).addresses[0]!.withPort(5000)
    const socket = new ProbeSocket(host, { address })
    internet.run()
    socket.send(name, server.local!)
    internet.run()
  }
  expect(server.arrived.map(({ from }) => from)).toEqual([
    `${home.addresses[0]!.withPort(5000)}`,
    `${carrier.addresses[0]!.withPort(5000)}`,
  ])
})

test('an unbound socket takes the interface whose network has the destination, else the first that is up', () => {
  const { internet, home, carrier, host, server } = phone()
  const neighbour = new ProbeSocket(carrier.host(), { port: 2222 })
  const socket = new ProbeSocket(host, { address: TransportAddress.of('0.0.0.0', 5000) })
  internet.run()
  socket.send('to the neighbour', neighbour.local!)
  socket.send('to the world', server.local!)
  internet.run()
  host.interface('wlan0').down()
  socket.send('to the world', server.local!)
  internet.run()
  expect(neighbour.lastFrom).toBe('100.64.0.2:5000')
  expect(server.arrived.map(({ from }) => from)).toEqual([
    `${home.addresses[0]!.withPort(5000)}`,
    `${carrier.addresses[0]!.withPort(5000)}`,
  ])
})

describe('an interface that goes down', () => {
  test('is gone from the list, and neither sends nor receives', () => {
    const { internet, host, server } = phone()
    const socket = new ProbeSocket(host, { port: 5000 })
    internet.run()
    socket.send('hello', server.local!)
    internet.run()
    host.interface('wlan0').down()
    expect(host.interfaces().map(({ name }) => name)).toEqual(['lo', 'lo', 'rmnet0'])
    server.send('answer', server.lastFrom)
    socket.send('again', server.local!)
    internet.run()
    expect(socket.texts).toEqual([])
    expect(socket.failures).toEqual(['EADDRNOTAVAIL'])
    host.interface('wlan0').up()
    socket.send('back', server.local!)
    internet.run()
    expect(server.texts).toEqual(['hello', 'back'])
  })

  test('is heard of by who watches, until it no longer does', () => {
    const { host } = phone()
    const heard: number[] = []
    const stop = host.onInterfacesChanged(() => heard.push(host.interfaces().length))
    host.interface('wlan0').down()
    host.interface('wlan0').up()
    stop()
    host.interface('wlan0').down()
    expect(heard).toEqual([3, 4])
  })
})

test('an interface that changes its address loses what was for the old one', () => {
  const internet = new Internet({ seed: 1 })
  const host = internet.host()
  const socket = new ProbeSocket(host, { port: 5000 })
  const other = new ProbeSocket(internet.host(), { port: 1111 })
  internet.run()
  const old = socket.local!
  host.interface().changeAddresses()
  expect(host.address().ip).not.toBe(old.ip)
  other.send('to the old one', old)
  socket.send('from the old one', other.local!)
  internet.run()
  expect([socket.texts, socket.failures, other.texts]).toEqual([[], ['EADDRNOTAVAIL'], []])
  const again = new ProbeSocket(host, { port: 5000 })
  internet.run()
  other.send('to the new one', again.local!)
  internet.run()
  expect(again.texts).toEqual(['to the new one'])
})

test('a host that moves to another network has an address of that one', () => {
  const { internet, carrier, host, server } = phone()
  host.interface('wlan0').moveTo(carrier)
  const socket = new ProbeSocket(host, { port: 5000 })
  internet.run()
  socket.send('hello', server.local!)
  internet.run()
  expect(socket.local?.ip).toBe('100.64.0.3')
  expect(server.lastFrom).toBe(`${carrier.addresses[0]!.withPort(5000)}`)
})

test('two ports with one address are refused', () => {
  const internet = new Internet({ seed: 1 })
  internet.host({ addresses: ['20.0.0.9'] })
  expect(() => internet.host({ addresses: ['20.0.0.9'] })).toThrow(/20\.0\.0\.9 is the address of host-1/)
})
