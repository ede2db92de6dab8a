/** Ctrl-C of a command that measures: the first ends the measuring, and what is known is printed. */

export interface Interruption {
  readonly signal: AbortSignal
  readonly isInterrupted: boolean
}

export async function interruptible<Result>(
  run: (interruption: Interruption) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController()
  const interrupt = () => controller.abort()
  process.once('SIGINT', interrupt)
  try {
    return await run({
      signal: controller.signal,
      get isInterrupted() {
        return controller.signal.aborted
      },
    })
  } finally {
    process.off('SIGINT', interrupt)
  }
}
