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

  /** The same of each thread that there is, by its number; empty where that is not known. */
  threadSeconds(): ReadonlyMap<string, number> {
    return this.#read(() => this.#threads()) ?? new Map()
  }

  residentBytes(): number | undefined {
    return this.#read(() => {
      const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? []
      return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
    })
  }

  #scheduledSeconds(): number | undefined {
    const seconds = [...this.#threads().values()].reduce((sum, used) => sum + used, 0)
    return seconds > 0 ? seconds : undefined
  }

  /** To the nanosecond, where the scheduler keeps it. What ended threads have used is not in it. */
  #threads(): Map<string, number> {
    const folder = `/proc/${this.pid}/task`
    return new Map(
      readdirSync(folder).map((task) => {
        const [nanoseconds] = readFileSync(`${folder}/${task}/schedstat`, 'utf8').split(' ')
        return [task, Number(nanoseconds) / 1e9]
      }),
    )
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
