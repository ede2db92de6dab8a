/** Warnings that an operator cannot do anything about. */

/** Node says at the first use, in each thread, that node:ffi is experimental: to an operator who cannot help it. */
export function withoutWarnings<Result>(use: () => Result): Result {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return use()
  } finally {
    process.emitWarning = emitWarning
  }
}
