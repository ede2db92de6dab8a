/** What the log says of sources that do wrong: few lines, for the engine throttles what it tells. */

import { unreachable } from '../core/errors.ts'
import type { Notice } from '../turn/outputs.ts'
import type { Log } from './log.ts'

export function logNotice(log: Log, notice: Notice): void {
  switch (notice.type) {
    case 'authentication-failed': {
      const { source, username, reason, times } = notice
      log.warn('authentication failed', { client: `${source}`, user: username, reason, times })
      return
    }
    case 'answers-withheld':
      log.warn('unauthenticated answers held back', { last: `${notice.source}`, times: notice.times })
      return
    default:
      unreachable(notice)
  }
}
