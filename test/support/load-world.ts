/** A load in virtual time: a turnpike server, and a machine that loads it, on a simulated internet. */

import { later } from '../../src/core/time.ts'
import type { LoadMachine } from '../../src/load/machine.ts'
import type { LoadPlan } from '../../src/load/plan.ts'
import type { LoadReport } from '../../src/load/report.ts'
import { type LoadOptions, runLoad } from '../../src/load/run.ts'
import { defaultConfig, type ServeConfig } from '../../src/server/config.ts'
import type { Log } from '../../src/server/log.ts'
import { type RunningServer, startServer } from '../../src/server/server.ts'
import type { SimHost } from '../../src/sim/host.ts'
import { Internet } from '../../src/sim/internet.ts'
import type { LinkOptions } from '../../src/sim/link.ts'

const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

export const smallPlan: LoadPlan = {
  flows: 5,
  size: 100,
  rate: 200,
  direction: 'both',
  burst: 1,
  seconds: 2,
}

export interface LoadWorldOptions {
  readonly config?: Partial<ServeConfig>
  /** The line of the machine that loads. */
  readonly line?: LinkOptions
  readonly isBehindNat?: boolean
}

export class LoadWorld {
  readonly internet = new Internet({ seed: 3 })
  readonly serverHost = this.internet.host()
  readonly loader: SimHost
  readonly #config: Partial<ServeConfig>

  constructor({ config = {}, line = {}, isBehindNat = false }: LoadWorldOptions = {}) {
    this.loader = (isBehindNat ? this.internet.nat() : this.internet).host({ link: line })
    this.#config = config
  }

  /** Starts the server; without it nobody answers. */
  serve(more: Partial<ServeConfig> = {}): Promise<RunningServer> {
    const config = {
      ...defaultConfig,
      users: [{ name: 'alice', password: 'wonder' }],
      unauthenticatedRate: 0,
      ...this.#config,
      ...more,
    }
    return this.internet.until(startServer(config, this.serverHost, silent))
  }

  /** Runs it to its end. */
  async load(options: Partial<LoadOptions> = {}): Promise<LoadReport> {
    return this.internet.until(
      runLoad(this.machine(), {
        uri: 'turn:server.example',
        server: { transport: 'udp', address: this.serverHost.address(3478), name: undefined },
        credentials: { username: 'alice', password: 'wonder' },
        plan: smallPlan,
        mayLeaveLoopback: true,
        tool: 'turnpike 0.0.0',
        ...options,
      }),
    )
  }

  machine(): LoadMachine {
    const { clock } = this.loader
    return {
      host: this.loader,
      io: 'sim',
      because: undefined,
      setBusy: () => {},
      nextTurn: (callback) => {
        clock.schedule(later(clock.now(), 1), callback)
      },
      stop: () => {},
    }
  }
}
