/**
 * A server that has all its ICE sessions on one UDP port, and three clients of it, on this machine's own sockets. Run it
 * with `node examples/ice-on-one-port.ts`.
 */

import assert from 'node:assert/strict'
import { type IceTransport, type IceTransportOptions, NodeHost, openIce, UdpMux } from 'turnpike/net'

const host = new NodeHost()
// A server has its port open in the firewall: `new UdpMux(host, { port: 3479 })`. Here the system chooses.
const mux = new UdpMux(host)

const answers = await Promise.all(['ann', 'ben', 'cy'].map(call))
assert.deepEqual(answers, ['ann: thank you', 'ben: thank you', 'cy: thank you'])
console.log(`${answers.join(', ')}: all by ${mux.addresses.join(' and ')}`)
mux.close()

/** The server greets, the client thanks; resolves with that. */
function call(name: string): Promise<string> {
  return new Promise((resolve) => {
    const server: IceTransport = open({ role: 'controlled', mux }, () => client, {
      onCompleted: () => server.send(encode(`hello ${name}`)),
      onText: (text) => {
        for (const side of [client, server]) side.close()
        resolve(text)
      },
    })
    const client: IceTransport = open({ role: 'controlling' }, () => server, {
      onCompleted: () => {},
      onText: () => client.send(encode(`${name}: thank you`)),
    })
    // Signaling, which takes a WebSocket or so between two machines.
    server.connect(client.localDescription)
    client.connect(server.localDescription)
    for (const side of [client, server]) side.gather()
  })
}

interface Reactions {
  readonly onCompleted: () => void
  readonly onText: (text: string) => void
}

function open(options: IceTransportOptions, peer: () => IceTransport, { onCompleted, onText }: Reactions) {
  // Loopback is left out unless asked for: no peer elsewhere is reached by it.
  const interfaces = { loopback: true, allow: [] }
  return openIce(
    host,
    { ...options, interfaces },
    {
      onEvent: (event) => {
        if (event.type === 'local-candidate') peer().addRemoteCandidate(event.candidate)
        if (event.type === 'state' && event.state === 'completed') onCompleted()
      },
      onData: (bytes) => onText(new TextDecoder().decode(bytes)),
    },
  )
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
