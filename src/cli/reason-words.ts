/** The codes of systems and TLS, in words. */

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was closed',
  ENOTFOUND: 'the name has no address',
  ENODATA: 'the name has no address',
  ETIMEOUT: 'the DNS did not answer',
  ETIMEDOUT: 'no connection in time',
  ENETUNREACH: 'this host has no route to it',
  EHOSTUNREACH: 'this host has no route to it',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  'timed-out': 'no answer',
  'deadline-exceeded': 'no answer in time',
  'integrity-violated': 'its answers are not signed with the password',
}

/** With the code behind, for looking it up. */
export function wordsOf(reason: string): string {
  const found = words[reason]
  if (found === undefined) return reason
  return /^[A-Z]/.test(reason) ? `${found} (${reason})` : found
}
