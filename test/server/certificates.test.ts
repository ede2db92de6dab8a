import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { connect as tlsConnect } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TransportAddress } from '../../src/core/transport-address.ts'
import { NodeHost } from '../../src/net/node-host.ts'
import { CertificateWatch, readCertificates } from '../../src/server/certificates.ts'
import { defaultConfig } from '../../src/server/config.ts'
import type { Log, LogFields } from '../../src/server/log.ts'
import { startServer } from '../../src/server/server.ts'
import { Internet } from '../../src/sim/internet.ts'
import { CertificateFolder, type TestCertificate } from '../support/certificates.ts'

let folder: CertificateFolder
let first: TestCertificate
let second: TestCertificate
beforeEach(() => {
  folder = new CertificateFolder()
  first = folder.make('first.example')
  second = folder.make('second.example')
})
afterEach(() => folder.remove())

class Lines {
  readonly all: { level: string; message: string; fields: LogFields }[] = []
  readonly log: Log = {
    debug: () => {},
    info: (message, fields = {}) => void this.all.push({ level: 'info', message, fields }),
    warn: (message, fields = {}) => void this.all.push({ level: 'warn', message, fields }),
    error: () => {},
  }
}

describe('certificates from files', () => {
  it('are read with their keys', () => {
    expect(readCertificates([first, second])).toEqual(
      [first, second].map(({ certificate, key }) => ({ certificate, key })),
    )
  })

  it('are refused by the flag and the name of the file that cannot be read', () => {
    const missing = { ...first, keyFile: `${first.keyFile}.gone` }
    expect(() => readCertificates([missing])).toThrow(
      /--tls-key ".*first\.example\.key\.gone" cannot be read \(ENOENT\)/,
    )
    expect(() => readCertificates([{ ...first, certificateFile: folder.path }])).toThrow(
      /--tls-cert .* \(EISDIR\)/,
    )
  })
})

describe('a watch on certificates', () => {
  function watch() {
    const internet = new Internet({ seed: 1 })
    const { clock } = internet.host()
    const lines = new Lines()
    const applied: string[] = []
    const apply = ([pair]: readonly { certificate: string }[]) => {
      if (pair!.certificate === 'broken') throw new Error('not a certificate with its key: no start line')
      applied.push(pair!.certificate)
    }
    const watched = new CertificateWatch([first], readCertificates([first]), apply, clock, lines.log)
    return { internet, lines, applied, watched }
  }

  it('uses a new pair within seconds, and says so', () => {
    const { internet, lines, applied, watched } = watch()
    internet.run({ for: 60_000 })
    expect(applied).toEqual([])
    writeFileSync(first.certificateFile, second.certificate)
    writeFileSync(first.keyFile, second.key)
    internet.run({ for: 6000 })
    expect(applied).toEqual([second.certificate])
    expect(lines.all).toMatchObject([
      {
        level: 'info',
        message: 'certificate reloaded',
        fields: { names: 'DNS:second.example, IP Address:127.0.0.1' },
      },
    ])
    watched.close()
    internet.run()
  })

  it('keeps the old pair while the new one is broken or gone, and warns once for each', () => {
    const { internet, lines, applied } = watch()
    writeFileSync(first.certificateFile, 'broken')
    internet.run({ for: 60_000 })
    rmSync(first.certificateFile)
    internet.run({ for: 60_000 })
    expect(applied).toEqual([])
    expect(lines.all.map(({ level, fields }) => `${level} ${fields.reason}`)).toEqual([
      'warn not a certificate with its key: no start line',
      expect.stringMatching(/^warn --tls-cert .* cannot be read \(ENOENT\)$/),
    ])
    writeFileSync(first.certificateFile, second.certificate)
    internet.run({ for: 6000 })
    expect(applied).toEqual([second.certificate])
  })
})

describe('a server over TLS', () => {
  it('serves new connections with renewed certificates, and the old ones while the new are broken', async () => {
    const lines = new Lines()
    const server = await startServer(
      {
        ...defaultConfig,
        users: [{ name: 'u', password: 'p' }],
        listen: [{ transport: 'tls', address: TransportAddress.of('127.0.0.1', 0), isOptional: false }],
        tlsCertificates: [first, second],
      },
      new NodeHost(),
      lines.log,
    )
    const { port } = server.listeners[0]!.address
    const subjectFor = async (servername?: string): Promise<string> => {
      const socket = tlsConnect({
        port,
        rejectUnauthorized: false,
        ...(servername === undefined ? {} : { servername }),
      })
      await once(socket, 'secureConnect')
      const { subject } = socket.getPeerX509Certificate()!
      socket.destroy()
      return subject
    }
    try {
      expect(await subjectFor()).toBe('CN=first.example')
      expect(await subjectFor('second.example')).toBe('CN=second.example')
      // A certificate that has been replaced before its key.
      const third = folder.make('third.example')
      writeFileSync(first.certificateFile, third.certificate)
      server.reload()
      expect(await subjectFor()).toBe('CN=first.example')
      writeFileSync(first.keyFile, third.key)
      server.reload()
      expect(await subjectFor()).toBe('CN=third.example')
      expect(await subjectFor('second.example')).toBe('CN=second.example')
      expect(lines.all.filter(({ level }) => level === 'warn')).toMatchObject([
        { message: 'certificate not reloaded, the old one stays in use' },
      ])
    } finally {
      server.close()
    }
  })

  const refusals: [string, () => Partial<typeof defaultConfig>, RegExp][] = [
    ['TLS without a certificate', () => ({ tlsCertificates: [] }), /--listen tls:.* needs a certificate/],
    [
      'a certificate without TLS',
      () => ({ listen: [], tlsCertificates: [first] }),
      /--tls-cert is for TLS listeners/,
    ],
    [
      'a key that is not of the certificate',
      () => ({ tlsCertificates: [{ ...first, keyFile: second.keyFile }] }),
      /not a certificate with its key/,
    ],
  ]
  it.each(refusals)('is not started with %s', async (_, more, message) => {
    const config = {
      ...defaultConfig,
      users: [{ name: 'u', password: 'p' }],
      listen: [
        { transport: 'tls', address: TransportAddress.of('127.0.0.1', 0), isOptional: false },
      ] as const,
      ...more(),
    }
    await expect(startServer(config, new NodeHost(), new Lines().log)).rejects.toThrow(message)
  })
})
