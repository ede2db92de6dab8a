/** `npm run build`: the sources compiled to dist/ with declarations, a command that can be executed, and the page. */

import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
for (const [command, ...args] of [
  ['tsc', '-p', 'tsconfig.build.json'],
  ['vite', 'build', '--config', 'web/vite.config.ts'],
] as const) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
chmodSync('dist/bin/turnpike.js', 0o755)
