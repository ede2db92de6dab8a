/** What a server costs, as Linux tells of its process: processor time of all threads, and resident memory. */

import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

export class ServerProcess {
  readonly pid: number

  /** Or why nothing can be told of it. */
  static find(pid: number): ServerProcess | string {
    const process = new ServerProcess(pid)
    return process.cpuSeconds() === undefined ? 'there is no such process, or this is no Linux' : process
  }

  private constructor(pid: number) {
    this.pid = pid
  }

  /** User and system time since it began; undefined when it is gone. */
  cpuSeconds(): number | undefined {
    return this.#read(() => this.#scheduledSeconds() ?? this.#tickedSeconds())
  }

  residentBytes(): number | undefined {
    return this.#read(() => {
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? []
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
    })
  }

  /** In nanoseconds, where the scheduler keeps them. What ended threads have used is not in it. */
  #scheduledSeconds(): number | undefined {
    let nanoseconds = 0
    for (const task of readdirSync(`/proc/${this.pid}/task`)) {
      const [used] = readFileSync(`/proc/${this.pid}/task/${task}/schedstat`, 'utf8').split(' ')
      nanoseconds += Number(used)
    }
    return nanoseconds > 0 ? nanoseconds / 1e9 : undefined
  }

  #tickedSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  }

  #read<Value>(read: () => Value): Value | undefined {
    try {
      return read()
    } catch {
      // It has ended, or is another user's: then it is not known.
      return undefined
    }
  }
}
