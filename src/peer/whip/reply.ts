/** An HTTP response as a value. */

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

/** In words, for whoever reads what their client was answered. */
export function reject(status: number, why: string, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers }, body: `${why}\n` }
}
