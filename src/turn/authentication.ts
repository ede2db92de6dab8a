/**
 * The long-term credential mechanism on the server's side, its steps in the order of RFC 8489 §9.2.4, with the bid-down
 * protection of §9.2.1 and the access tokens of RFC 7635 §7. Keeps no state: the nonce proves itself, and an unknown
 * user costs the same HMAC and gets the same answer as a known one.
 */

import type { Random } from '../core/random.ts'
import type { EpochSeconds, Instant } from '../core/time.ts'
import type { AddressWords } from '../core/transport-address.ts'
import { type Attribute, attributes } from '../stun/attributes.ts'
import { checkIntegrity, type IntegrityAlgorithm, type IntegrityKey } from '../stun/integrity.ts'
import type { Message } from '../stun/message.ts'
import type { MethodName } from '../stun/methods.ts'
import { AccessTokens } from './access-token.ts'
import { type AuthenticatedClient, anyone, type Credential, type KeyAlgorithm } from './credential.ts'
import type { CredentialStore } from './credentials.ts'
import { NonceIssuer } from './nonce.ts'
import { limitsOf, type TurnServerOptions } from './options.ts'
import { type PasswordChoice, PasswordOffer } from './password-offer.ts'
import { decodeUsername, withoutTrailingNuls } from './username.ts'

export type AuthenticationOptions = Pick<
  TurnServerOptions,
  'realm' | 'credentials' | 'tokenKeys' | 'serverName' | 'epochSeconds' | 'nonceKey' | 'nonceLifetime'
>

export interface AuthenticationRequest {
  readonly message: Message
  readonly method: MethodName
  readonly source: AddressWords
  readonly known: AuthenticatedClient | undefined
  /** What was found by who was asked; in place of a look-up. */
  readonly found?: readonly Credential[] | undefined
}

export type Authentication =
  | {
      readonly type: 'authenticated'
      readonly credential: Credential
      /** What the answer is to be signed with; undefined where nobody is authenticated. */
      readonly key: IntegrityKey | undefined
      /** Seconds: what an allocation may last for with this credential. */
      readonly longestLifetime: number
    }
  /** To be tried again when somebody has looked it up. */
  | {
      readonly type: 'asked'
      readonly username: string | undefined
      readonly userHash: Uint8Array | undefined
    }
  /** To be answered with `challenge()`. `key` is there when the password was right (438). */
  | {
      readonly type: 'challenged'
      readonly code: 401 | 438
      readonly key: IntegrityKey | undefined
      /** Undefined where the client has only done as the mechanism wants it. */
      readonly failure: AuthenticationFailure | undefined
    }
  | { readonly type: 'refused'; readonly code: 400 | 420; readonly attributes: readonly Attribute[] }

export type AuthenticationFailure =
  | 'wrong-realm'
  | 'unknown-user'
  | 'wrong-password'
  | 'bad-token'
  | 'expired'

const badRequest: Authentication = { type: 'refused', code: 400, attributes: [] }
const unexpectedToken: Authentication = {
  type: 'refused',
  code: 420,
  attributes: [['UNKNOWN-ATTRIBUTES', [attributes['ACCESS-TOKEN'].type]]],
}
const anybody: Authentication = {
  type: 'authenticated',
  credential: anyone,
  key: undefined,
  longestLifetime: Number.POSITIVE_INFINITY,
}

/** What a request is to be checked by. */
interface Shown {
  readonly name: Uint8Array | undefined
  readonly hash: Uint8Array | undefined
  readonly nonce: Uint8Array
  readonly token: Uint8Array | undefined
  readonly choice: PasswordChoice
}

/** Without a clock whatever can run out has run out. */
const endOfTime = () => Number.POSITIVE_INFINITY as EpochSeconds

export class Authenticator {
  readonly #realm: Attribute
  readonly #realmBytes: Uint8Array
  readonly #store: CredentialStore | undefined
  readonly #tokens: AccessTokens | undefined
  readonly #nonces: NonceIssuer
  readonly #epochSeconds: () => EpochSeconds
  readonly #passwords: PasswordOffer
  /** What every challenge carries besides REALM and NONCE. */
  readonly #offers: Attribute[]

  constructor(options: AuthenticationOptions, random: Random) {
    const { realm, credentials, tokenKeys = [], serverName = realm } = options
    this.#realm = ['REALM', realm]
    this.#realmBytes = new TextEncoder().encode(realm)
    this.#store = credentials
    this.#tokens = tokenKeys.length > 0 ? new AccessTokens(serverName, tokenKeys) : undefined
    this.#epochSeconds = options.epochSeconds ?? endOfTime
    this.#passwords = new PasswordOffer(credentials?.algorithms ?? [])
    this.#offers = this.#passwords.attributes
    if (this.#tokens !== undefined) this.#offers.push(['THIRD-PARTY-AUTHORIZATION', serverName])
    this.#nonces = new NonceIssuer(options.nonceKey ?? random.bytes(32), limitsOf(options).nonceLifetime, {
      passwordAlgorithms: !this.#passwords.isEmpty,
      userAnonymity: credentials?.knowsUserHashes === true && this.#tokens === undefined,
    })
  }

  authenticate(request: AuthenticationRequest, now: Instant): Authentication {
    const { message } = request
    if (this.#store === undefined && this.#tokens === undefined) return anybody
    // 1. No integrity: 401.
    if (message.integrityOffset < 0 && message.integritySha256Offset < 0) return challenged(undefined)
    // 2. Integrity without the attributes that it is checked by: 400.
    const name = message.raw('USERNAME')
    const hash = name === undefined ? message.raw('USERHASH') : undefined
    const nonce = message.raw('NONCE')
    const realm = message.raw('REALM')
    if ((name ?? hash) === undefined || nonce === undefined || realm === undefined) return badRequest
    // 3. Password algorithms that are not those we have offered: 400, for somebody on the way has changed them.
    const choice = this.#passwords.choiceOf(message, nonce)
    if (choice === undefined) return badRequest
    // A token where none was asked for: RFC 7635 §7.
    const token = message.raw('ACCESS-TOKEN')
    if (token !== undefined && this.#tokens === undefined) return unexpectedToken
    if (!isSame(realm, this.#realmBytes)) return challenged('wrong-realm')
    return this.#identify(request, { name, hash, nonce, token, choice }, now)
  }

  /** Steps 4. to 6. */
  #identify(request: AuthenticationRequest, shown: Shown, now: Instant): Authentication {
    const { message, method, source, known, found } = request
    const { name, hash, nonce, token, choice } = shown
    // 4. An unknown user, and 5. a wrong password: 401 both, after the same work.
    const username = name === undefined ? undefined : withoutTrailingNuls(name)
    const algorithm: IntegrityAlgorithm = message.integritySha256Offset >= 0 ? 'sha256' : 'sha1'
    const isRight = (candidate: Credential) => isSignedBy(message, candidate, choice.algorithm, algorithm)
    const takesToken = token !== undefined && (method === 'Allocate' || method === 'Refresh')
    const credential = takesToken
      ? this.#byToken(username, token, isRight)
      : this.#byName(username, hash, known?.credential, found, isRight)
    if (credential === 'ask') return this.#asked(username, hash, nonce, request, now)
    if (typeof credential === 'string') {
      // Whoever is nobody costs an HMAC too.
      if (credential !== 'wrong-password') checkIntegrity(message, { algorithm, key: nobodysKey })
      return challenged(credential)
    }
    // The answer is signed as the question was, but for clients that have chosen an algorithm: SHA-256 always (§9.2.4).
    const isToken = credential.kind === 'token'
    const signature = choice.isExplicit ? 'sha256' : isToken ? algorithm : 'sha1'
    const key = { algorithm: signature, key: credential.key(choice.algorithm)! } as const
    const secondsLeft = this.#secondsLeft(credential, method, known)
    if (secondsLeft <= 0) return challenged('expired')
    // 6. A nonce that is not valid (any more): 438.
    if (!this.#isValidNonce(nonce, source, known, now)) {
      return { type: 'challenged', code: 438, key, failure: undefined }
    }
    const isBound = credential.validity?.boundsLifetime === true
    const longestLifetime = isBound ? Math.max(1, Math.floor(secondsLeft)) : Number.POSITIVE_INFINITY
    return { type: 'authenticated', credential, key, longestLifetime }
  }

  /** What a 401 or 438 to that client carries: realm, a new nonce, and what we offer. */
  challenge(source: AddressWords, now: Instant): Attribute[] {
    return [this.#realm, ['NONCE', this.#nonces.issue(source, now)], ...this.#offers]
  }

  /** Whether the message shows, by a valid nonce, that its sender receives what we send there. */
  isProven(message: Message, source: AddressWords, now: Instant): boolean {
    const nonce = message.raw('NONCE')
    return nonce !== undefined && this.#nonces.isValid(nonce, source, now)
  }

  #byToken(
    username: Uint8Array | undefined,
    token: Uint8Array,
    isRight: (candidate: Credential) => boolean,
  ): Credential | 'bad-token' | 'wrong-password' {
    const opened = username === undefined ? undefined : this.#tokens?.open(username, token)
    if (opened === undefined || opened.length === 0) return 'bad-token'
    return opened.find(isRight) ?? 'wrong-password'
  }

  /** The allocation's own credential first; those of the store after it, for a password may have been changed. */
  #byName(
    username: Uint8Array | undefined,
    hash: Uint8Array | undefined,
    known: Credential | undefined,
    told: readonly Credential[] | undefined,
    isRight: (candidate: Credential) => boolean,
  ): Credential | 'unknown-user' | 'wrong-password' | 'ask' {
    const isKnown = known !== undefined && username !== undefined && known.isNamed(username)
    if (isKnown && isRight(known)) return known
    const found =
      told ?? (username === undefined ? this.#store?.findByHash(hash!) : this.#store?.find(username))
    if (found === 'ask') return 'ask'
    const right = found?.find((candidate) => !(isKnown && candidate === known) && isRight(candidate))
    if (right !== undefined) return right
    return isKnown || (found?.length ?? 0) > 0 ? 'wrong-password' : 'unknown-user'
  }

  /** Nobody is looked up who has not shown that our answers reach it. A name that can be nobody's is not asked for. */
  #asked(
    username: Uint8Array | undefined,
    userHash: Uint8Array | undefined,
    nonce: Uint8Array,
    { source, known }: AuthenticationRequest,
    now: Instant,
  ): Authentication {
    if (!this.#isValidNonce(nonce, source, known, now)) {
      return { type: 'challenged', code: 438, key: undefined, failure: undefined }
    }
    const name = username === undefined ? undefined : decodeUsername(username)
    if (username !== undefined && name === undefined) return challenged('unknown-user')
    return { type: 'asked', username: name, userHash: userHash?.slice() }
  }

  #isValidNonce(
    nonce: Uint8Array,
    source: AddressWords,
    known: AuthenticatedClient | undefined,
    now: Instant,
  ): boolean {
    if (known?.verifiedNonce !== undefined && isSame(nonce, known.verifiedNonce)) {
      return this.#nonces.isFresh(nonce, now)
    }
    if (!this.#nonces.isValid(nonce, source, now)) return false
    if (known !== undefined) known.verifiedNonce = nonce.slice()
    return true
  }

  /** Infinity where the credential does not end, or is not asked about at this request. */
  #secondsLeft({ validity }: Credential, method: MethodName, known: AuthenticatedClient | undefined): number {
    const isAsked =
      validity !== undefined &&
      (validity.asked === 'always' ||
        (method === 'Allocate' && known === undefined) ||
        (method === 'Refresh' && validity.asked === 'at-refresh'))
    return isAsked ? validity.secondsLeft(this.#epochSeconds()) : Number.POSITIVE_INFINITY
  }
}

const nobodysKey = new Uint8Array(16)

function challenged(failure: AuthenticationFailure | undefined): Authentication {
  return { type: 'challenged', code: 401, key: undefined, failure }
}

function isSignedBy(
  message: Message,
  credential: Credential,
  password: KeyAlgorithm,
  algorithm: IntegrityAlgorithm,
): boolean {
  const key = credential.key(password)
  return key !== undefined && checkIntegrity(message, { algorithm, key })
}

function isSame(x: Uint8Array, y: Uint8Array): boolean {
  let difference = x.length ^ y.length
  for (let i = 0; i < x.length; i++) difference |= x[i]! ^ (y[i] ?? 0)
  return difference === 0
}
