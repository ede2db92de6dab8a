/** Three marks, and no others: it works, it does not, it is not known. */
export type Mark = 'ok' | 'failed' | 'unknown'
