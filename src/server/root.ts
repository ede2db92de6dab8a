/** Who this process runs as: nothing of it needs root, and whoever gets into it would have all that root has. */

import type { Log } from './log.ts'

/** `uid` is undefined where there are no users. Limit: it does not become another user itself, once it listens: a shard that is started anew has to be let share its port, which the system lets the same user only. */
export function warnOfRoot(uid: number | undefined, log: Log): void {
  if (uid !== 0) return
  log.warn(
    'running as root, which nothing here needs: start it as a user of its own; ports below 1024 take AmbientCapabilities=CAP_NET_BIND_SERVICE (systemd), or sysctl net.ipv4.ip_unprivileged_port_start',
  )
}
