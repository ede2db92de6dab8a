/** What one connection took, and how a program of this benchmark reports many. */

/** Milliseconds since both sides had everything: until data could flow, and until pairs were selected, on both sides. */
export interface Sample {
  readonly connected: number
  readonly completed: number
}

const warmUps = 5
const samples = 20

export async function report(connect: () => Promise<Sample>): Promise<void> {
  for (let i = 0; i < warmUps; i++) await connect()
  const taken: Sample[] = []
  for (let i = 0; i < samples; i++) taken.push(await connect())
  process.stdout.write(`${JSON.stringify(taken)}\n`, () => process.exit(0))
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
