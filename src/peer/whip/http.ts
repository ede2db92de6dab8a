/** One request to a WHIP or WHEP endpoint: with its token, in good time, along its redirects (RFC 9725 §4.5, §4.7). */

import { TurnpikeError } from '../../core/errors.ts'

export interface HttpRequest {
  readonly token?: string | undefined
  readonly type?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface HttpAnswer {
  readonly status: number
  readonly statusText: string
  /** Where the answer has come from, after redirects. */
  readonly url: string
  readonly headers: Headers
  readonly body: string
}

const limitMs = 10_000
const maxRedirects = 5
/** Limit: characters of an answer. Descriptions of many tracks take 20,000. */
const maxBodyLength = 256 * 1024

/** Rejects with `call-failed` when nobody answers, or the redirects lead nowhere that may be gone to. */
export async function ask(method: string, url: string, request: HttpRequest): Promise<HttpAnswer> {
  const { token, type, body, headers } = request
  let at = url
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await fetch(at, {
      method,
      redirect: 'manual',
      signal: AbortSignal.timeout(limitMs),
      ...(body === undefined ? {} : { body }),
      headers: {
        ...headers,
        ...(type === undefined ? {} : { 'Content-Type': type }),
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
    }).catch((cause) => {
      throw failed(`${at} cannot be reached: ${reasonOf(cause)}`, cause)
    })
    const { status, statusText } = response
    const location = response.headers.get('location')
    if (status < 300 || status > 399 || location === null) {
      return { status, statusText, url: at, headers: response.headers, body: await bodyOf(response) }
    }
    await response.body?.cancel()
    at = followed(at, status, location)
  }
  throw failed(`${url} redirects more than ${maxRedirects} times`)
}

/** 301, 302 and 303 would make a GET of a POST, and what went to https does not go on without. */
function followed(from: string, status: number, location: string): string {
  if (status !== 307 && status !== 308)
    throw failed(`${from} redirects by ${status}, where 307 or 308 is right`)
  const to = URL.canParse(location, from) ? new URL(location, from) : undefined
  if (to === undefined || !/^https?:$/.test(to.protocol))
    throw failed(`${from} redirects to no address of HTTP`)
  if (from.startsWith('https:') && to.protocol === 'http:')
    throw failed(`${from} redirects to an address without TLS`)
  return to.href
}

async function bodyOf(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > maxBodyLength)
      throw failed(`${response.url} answered more than ${maxBodyLength} characters`)
  }
  return text
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${limitMs / 1000} s`
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}

function failed(message: string, cause?: unknown): TurnpikeError {
  return new TurnpikeError('call-failed', message, { cause })
}
