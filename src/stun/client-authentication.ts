/**
 * The credential mechanisms on the client's side (RFC 8489 §9.1, §9.2): what is added to a request, and what a
 * response is worth. Learns realm, nonce and algorithms from challenges, and does not let itself be bid down.
 */

import { unreachable } from '../core/errors.ts'
import type { Attribute } from './attributes.ts'
import type { PasswordAlgorithm } from './codecs.ts'
import { longTermKey, longTermKeySha256, shortTermKey, userHash } from './credentials.ts'
import { checkIntegrity, type IntegrityAlgorithm, type IntegrityKey } from './integrity.ts'
import type { Message } from './message.ts'
import { parseNonceCookie } from './nonce-cookie.ts'
import { opaqueString } from './opaque-string.ts'

export type ClientCredentials =
  /** `integrity`: both, unless it is known which of them the other side checks (§9.1.2). */
  | {
      readonly type: 'short-term'
      readonly username: string
      readonly password: string
      readonly integrity?: IntegrityAlgorithm
    }
  | { readonly type: 'long-term'; readonly username: string; readonly password: string }

/** What was added to one request. Its response is judged by it, whatever has been learnt since. */
export interface Signature {
  readonly attributes: readonly Attribute[]
  readonly integrity: readonly IntegrityKey[]
  /** The realm it was made for; undefined without a challenge. */
  readonly realm: string | undefined
}

/**
 * `retry`: there is a new challenge to meet, so send it again in a new transaction. `discard`: as if it had never
 * come. `tampered`: not from who knows the password; over TCP and TLS that ends the transaction (§9.2.5).
 */
export type Verdict = 'genuine' | 'retry' | 'discard' | 'tampered' | 'bid-down' | 'no-shared-algorithm'

interface Challenge {
  readonly realm: string
  readonly nonce: string
  /** What the server offered, to be sent back unchanged; undefined from a server before RFC 8489. */
  readonly algorithms: readonly PasswordAlgorithm[] | undefined
  readonly attributes: readonly Attribute[]
  readonly integrity: IntegrityKey
}

const md5 = 1
const sha256 = 2

const unsigned: Signature = { attributes: [], integrity: [], realm: undefined }

export class ClientAuthentication {
  readonly #credentials: ClientCredentials | undefined
  #challenge: Challenge | undefined
  /** The one algorithm that the server has answered with (§9.1.5). */
  #shortTermAlgorithm: IntegrityAlgorithm | undefined
  #isProven = false

  constructor(credentials: ClientCredentials | undefined) {
    this.#credentials = credentials
    if (credentials?.type === 'short-term') this.#shortTermAlgorithm = credentials.integrity
  }

  /** For another server: nothing that the last one said counts. */
  reset(): void {
    this.#challenge = undefined
    this.#isProven = false
  }

  /** For another connection to the same server: its challenge is kept if it has once accepted our answer (§9.2.3). */
  resetUnlessProven(): void {
    if (!this.#isProven) this.reset()
  }

  /** What to add to a request that is made now. */
  sign(): Signature {
    const credentials = this.#credentials
    if (credentials?.type === 'short-term') {
      const key = shortTermKey(credentials.password)
      const algorithms: readonly IntegrityAlgorithm[] =
        this.#shortTermAlgorithm === undefined ? ['sha1', 'sha256'] : [this.#shortTermAlgorithm]
      return {
        attributes: [['USERNAME', spelt(credentials.username)]],
        integrity: algorithms.map((algorithm) => ({ algorithm, key })),
        realm: undefined,
      }
    }
    const challenge = this.#challenge
    if (challenge === undefined) return unsigned
    return { attributes: challenge.attributes, integrity: [challenge.integrity], realm: challenge.realm }
  }

  /** What a success or error response to a request with this signature is worth. */
  judge(response: Message, signature: Signature): Verdict {
    const credentials = this.#credentials
    if (credentials === undefined) return 'genuine'
    switch (credentials.type) {
      case 'short-term':
        return this.#judgeShortTerm(response, signature)
      case 'long-term':
        return this.#judgeLongTerm(response, signature, spelt(credentials.username), credentials.password)
      default:
        return unreachable(credentials)
    }
  }

  /** §9.1.4. */
  #judgeShortTerm(response: Message, signature: Signature): Verdict {
    const key = signature.integrity.find((candidate) => checkIntegrity(response, candidate))
    if (key === undefined) return 'tampered'
    this.#shortTermAlgorithm = key.algorithm
    return 'genuine'
  }

  /** §9.2.5, in its order. */
  #judgeLongTerm(response: Message, signature: Signature, username: string, password: string): Verdict {
    const code = response.class === 'error' ? response.get('ERROR-CODE')?.code : undefined
    const nonce = response.get('NONCE')
    const algorithms = response.get('PASSWORD-ALGORITHMS')
    const cookie = nonce === undefined ? undefined : parseNonceCookie(nonce)
    const isStripped = cookie?.passwordAlgorithms === true && algorithms === undefined
    // 1. A challenge. 401 to our answer to one means that user or password are wrong, unless the realm has changed.
    const realm = response.get('REALM') ?? signature.realm
    if (code === 401 && (nonce === undefined || realm === undefined || realm === signature.realm))
      return 'genuine'
    if ((code === 401 || code === 438) && nonce !== undefined && realm !== undefined) {
      if (isStripped) return 'bid-down'
      // A server that has offered algorithms once does not cease to: somebody on the way has removed them.
      if (this.#challenge?.algorithms !== undefined && algorithms === undefined) return 'bid-down'
      return this.#learn(realm, nonce, algorithms, cookie?.userAnonymity === true, username, password)
    }
    // 2. The algorithms are missing that the nonce speaks of.
    if (isStripped) return 'discard'
    // 3. What was not signed is not answered with a signature.
    // Deviation: the RFC has a 400 without integrity discarded here too, and the client wait for 39.5 s.
    if (signature.integrity.length === 0) return 'genuine'
    // 4. A 400 without integrity may be from anybody.
    const hasIntegrity = response.integrityOffset >= 0 || response.integritySha256Offset >= 0
    if (code === 400 && !hasIntegrity) return 'discard'
    // 5. The signature, by the key and the algorithm of the request.
    if (!signature.integrity.some((key) => checkIntegrity(response, key))) return 'tampered'
    this.#isProven = true
    return 'genuine'
  }

  #learn(
    realm: string,
    nonce: string,
    algorithms: readonly PasswordAlgorithm[] | undefined,
    isAnonymous: boolean,
    username: string,
    password: string,
  ): Verdict {
    const chosen = algorithms?.find(({ algorithm }) => algorithm === md5 || algorithm === sha256)
    if (algorithms !== undefined && chosen === undefined) return 'no-shared-algorithm'
    const attributes: Attribute[] = [
      isAnonymous ? ['USERHASH', userHash(username, realm)] : ['USERNAME', username],
      ['REALM', realm],
      ['NONCE', nonce],
    ]
    const kept = algorithms?.map(copyOf)
    if (kept !== undefined && chosen !== undefined) {
      attributes.push(['PASSWORD-ALGORITHMS', kept], ['PASSWORD-ALGORITHM', copyOf(chosen)])
    }
    const key =
      chosen?.algorithm === sha256
        ? longTermKeySha256(username, realm, password)
        : longTermKey(username, realm, password)
    this.#challenge = {
      realm,
      nonce,
      algorithms: kept,
      attributes,
      integrity: { algorithm: kept === undefined ? 'sha1' : 'sha256', key },
    }
    return 'retry'
  }
}

/** Parameters are views over the message that brought them. */
function copyOf({ algorithm, parameters }: PasswordAlgorithm): PasswordAlgorithm {
  return { algorithm, parameters: parameters.slice() }
}

/** Text that OpaqueString has no place for is sent as it is: the server knows what it makes of it. */
function spelt(username: string): string {
  return opaqueString(username) ?? username
}
