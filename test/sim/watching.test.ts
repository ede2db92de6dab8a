/** What a test can look at while an internet runs. */

import { expect, test } from 'vitest'
import { Internet } from '../../src/sim/internet.ts'
import { ProbeSocket } from '../support/probe-socket.ts'
import { connect, listen } from '../support/probe-stream.ts'

test('all who watch hear of every packet, and of its fate', () => {
  const internet = new Internet({ seed: 1 })
  const heard: string[][] = [[], []]
  for (const lines of heard) {
    internet.watch(({ at, place, fate, packet }) =>
      lines.push(`${at} ${place} ${fate} ${packet.bytes.length}`),
    )
  }
  const [from, to] = [internet.host({ hostName: 'from' }), internet.host({ hostName: 'to' })]
  const receiver = new ProbeSocket(to, { port: 1000 })
  const sender = new ProbeSocket(from)
  internet.run()
  sender.send('hello', receiver.local!)
  sender.send('nobody', to.address(2000))
  internet.run()
  expect(heard[0]).toEqual([
    '0 from sent 5',
    '0 from sent 6',
    '20 to delivered 5',
    '20 to no listener 6',
    // The ICMP error.
    '20 to sent 0',
    '40 from delivered 0',
  ])
  expect(heard[1]).toEqual(heard[0])
  expect(internet.count('sent')).toBe(3)
})

test('a host counts what its programs have open: sockets, listeners and connections', () => {
  const internet = new Internet({ seed: 1 })
  const [client, server] = [internet.host(), internet.host()]
  const { socket } = new ProbeSocket(client)
  const { listener } = listen(server, 80)
  internet.run()
  expect([client.openSockets, server.openSockets]).toEqual([1, 1])
  const { stream } = connect(client, server.address(80))
  internet.run()
  expect([client.openSockets, server.openSockets]).toEqual([2, 2])
  stream.close()
  socket.close()
  listener.close()
  internet.run()
  expect([client.openSockets, server.openSockets]).toEqual([0, 1])
})
