/** The package as somebody else gets it: packed, installed in a folder of its own, imported, run, compiled against. */

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { start } from '../support/programs.ts'

const root = resolve('.')
const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const exported = Object.keys(manifest.exports).filter((name) => name !== './package.json')
const folder = mkdtempSync(join(tmpdir(), 'turnpike-package-'))
const consumer = join(folder, 'consumer')
let packed: string[] = []

/** Runs to the end, or fails with what the program has said. */
function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} exits ${status}:\n${stdout}\n${stderr}`)
  return stdout
}

/** Packing builds dist/ anew, so it is done in a copy: other tests may be using this one. */
function copySources(): string {
  const copy = join(folder, 'sources')
  const left = ['.git', 'node_modules', 'dist', 'coverage']
  cpSync(root, copy, { recursive: true, filter: (path) => !left.includes(relative(root, path)) })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

beforeAll(() => {
  const [{ filename, files }] = JSON.parse(
    run('npm', ['pack', '--json', '--silent', '--pack-destination', folder], copySources()),
  )
  packed = files.map(({ path }: { path: string }) => path)
  mkdirSync(consumer)
  writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }')
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, filename)], consumer)
}, 300_000)

afterAll(() => rmSync(folder, { recursive: true }))

describe('the package', () => {
  it('has what its manifest names, and nothing that is for development', () => {
    const named = exported.flatMap((name) => Object.values<string>(manifest.exports[name]))
    for (const path of [...named, manifest.bin.turnpike]) expect(packed).toContain(path.replace('./', ''))
    expect(packed).toContain('README.md')
    expect(packed).toContain('LICENSE')
    expect(
      packed.filter((path) => /(^|\/)(test|bench|scripts|node_modules)\/|\.tgz$|[^d]\.ts$/.test(path)),
    ).toEqual([])
  })

  it.each(exported)('gives by %s what its index names', (name) => {
    const index = readFileSync(
      manifest.exports[name].default.replace('./dist/', '').replace(/js$/, 'ts'),
      'utf8',
    )
    const values = [...index.matchAll(/export (?!type)\{([^}]*)\}/g)]
      .flatMap(([, list = '']) => list.split(','))
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '' && !entry.startsWith('type '))
      .map((entry) => entry.split(' as ').at(-1))
    const script = `import * as exported from '${name.replace('.', 'turnpike')}'; console.log(JSON.stringify(Object.keys(exported)))`
    const output = run(process.execPath, ['--input-type=module', '-e', script], consumer)
    expect(JSON.parse(output).sort()).toEqual([...values].sort())
    expect(values.length).toBeGreaterThan(0)
  })

  it('encodes and decodes', () => {
    const script = `
      import { decodeMessage, encodeMessage, TransportAddress } from 'turnpike/stun'
      const mapped = TransportAddress.parse('192.0.2.1:3478')
      const attributes = [['XOR-MAPPED-ADDRESS', mapped]]
      const bytes = encodeMessage({ class: 'success', method: 'Binding', transactionId: new Uint8Array(12), attributes })
      console.log(String(decodeMessage(bytes).get('XOR-MAPPED-ADDRESS')))`
    expect(run(process.execPath, ['--input-type=module', '-e', script], consumer)).toBe('192.0.2.1:3478\n')
  })

  it('has a command that tells its version and serves', async () => {
    const command = join(consumer, 'node_modules/.bin/turnpike')
    expect(run(process.execPath, [command, '--version'], consumer).trim()).toBe(manifest.version)
    const child = start(process.execPath, [
      command,
      'serve',
      '--listen',
      'udp://127.0.0.1:0',
      '--user',
      'a:b',
    ])
    await child.waitFor(/"event":"listening"/)
    const { code, stderr } = await child.stop()
    expect(code, stderr).toBe(0)
  })

  it('has types that a strict program compiles against, and that refuse what is wrong', () => {
    writeFileSync(
      join(consumer, 'program.ts'),
      `${exported.map((name, i) => `import * as all${i} from '${name.replace('.', 'turnpike')}'`).join('\n')}
import { decodeMessage, encodeMessage, type Message } from 'turnpike/stun'
import { PeerPolicy, staticCredentials, TurnServer } from 'turnpike/turn'
import { defaultConfig, NodeHost, startServer, type RunningServer } from 'turnpike/server'

export const everything = [${exported.map((_, i) => `all${i}`).join(', ')}]
export function lifetimeOf(bytes: Uint8Array): number | undefined {
  const message: Message | string = decodeMessage(bytes)
  return typeof message === 'string' ? undefined : message.get('LIFETIME')
}
export const request = encodeMessage({
  class: 'request',
  method: 'Allocate',
  transactionId: new Uint8Array(12),
  attributes: [['REQUESTED-TRANSPORT', 17]],
})
export const engine = () =>
  new TurnServer(
    {
      realm: 'example.org',
      credentials: staticCredentials('example.org', [{ name: 'alice', password: 'wonder' }]),
      relays: [],
      relayPorts: { min: 49152, max: 65535 },
      peerPolicy: new PeerPolicy({ allow: [], deny: [] }),
      ownAddresses: [],
    },
    new NodeHost().random,
  )
const silent = () => {}
export const server = (): Promise<RunningServer> =>
  startServer(defaultConfig, new NodeHost(), { debug: silent, info: silent, warn: silent, error: silent })
// @ts-expect-error: no attribute has that name
encodeMessage({ class: 'request', method: 'Allocate', transactionId: new Uint8Array(12), attributes: [['LIFE', 1]] })
`,
    )
    writeFileSync(
      join(consumer, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          ...{ target: 'es2024', module: 'nodenext', strict: true, exactOptionalPropertyTypes: true },
          ...{
            noEmit: true,
            skipLibCheck: false,
            types: ['node'],
            typeRoots: [join(root, 'node_modules/@types')],
          },
        },
        files: ['program.ts'],
      }),
    )
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', '.'], {
      cwd: consumer,
      encoding: 'utf8',
    })
    // werift's declarations contradict each other and the DOM's without skipLibCheck; ours and the program do not.
    const errors = stdout.split('\n').filter((line) => line.includes('error TS'))
    expect(errors.filter((line) => /^(program\.ts|node_modules\/turnpike\/)/.test(line))).toEqual([])
    expect(errors.every((line) => /node_modules\/(werift|@types|@?typescript)\//.test(line))).toBe(true)
    expect(errors.length > 0).toBe(status !== 0)
  })
})
