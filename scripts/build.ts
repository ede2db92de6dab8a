/** `npm run build`: the sources compiled to dist/, with declarations and a command that can be executed. */

import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
const { status } = spawnSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
chmodSync('dist/bin/turnpike.js', 0o755)
