/** `npm test`: installs the programs of the interop tests where it can, runs vitest, and ends with one line of totals. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'turnpike-test-'))
const report = join(folder, 'report.json')

spawnSync('sh', ['scripts/install-test-programs.sh'], { stdio: 'inherit' })
const { status } = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { stdio: 'inherit' },
)
process.exitCode = status ?? 1
if (existsSync(report)) printTotals(JSON.parse(readFileSync(report, 'utf8')))
else process.stdout.write('vitest has ended without a report\n')
rmSync(folder, { recursive: true })

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

/** What has failed, by name, and a line of totals. */
function printTotals({ numPassedTests, numFailedTests, numPendingTests, testResults }: Report): void {
  for (const { name, status, assertionResults } of testResults) {
    const failed = assertionResults.filter((test) => test.status === 'failed')
    const file = relative('.', name)
    for (const { fullName } of failed) process.stdout.write(`FAILED ${file}: ${fullName}\n`)
    if (status === 'failed' && failed.length === 0) process.stdout.write(`FAILED ${file}: the file itself\n`)
  }
  const skipped = numPendingTests > 0 ? `, ${numPendingTests} skipped` : ''
  if (numPassedTests === 0) process.exitCode = 1
  process.stdout.write(`${numPassedTests} passed, ${numFailedTests} failed${skipped}\n`)
}
