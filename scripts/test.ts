/** `npm test`: installs the programs of the interop tests where it can, runs vitest, and ends with one line of totals. */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'turnpike-test-'))
const report = join(folder, 'report.json')

spawnSync('sh', ['scripts/install-test-programs.sh'], { stdio: 'inherit' })
const { status } = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
process.exitCode = status ?? 1
printTotals()
rmSync(folder, { recursive: true })

function printTotals(): void {
  const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'))
  const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : ''
  if (numPassedTests === 0) process.exitCode = 1
  process.stdout.write(`${numPassedTests} passed, ${numFailedTests} failed${skipped}\n`)
}
