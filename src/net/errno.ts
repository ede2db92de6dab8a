/** What Node throws or emits, as the code that handlers are told. */

/** The system's or Node's code of an error, such as ECONNRESET or ERR_TLS_CERT_ALTNAME_INVALID. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code ?? 'UNKNOWN'
}
