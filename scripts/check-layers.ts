/** The layer rules of ARCHITECTURE.md, run over the sources. Prints each offence; exits 1 if there is one. */

import { layerOffences } from './layers.ts'

const offences = layerOffences('src')
for (const offence of offences) process.stderr.write(`${offence}\n`)
if (offences.length > 0) process.exitCode = 1
else process.stdout.write('layers: every import follows the rules\n')
