/**
 * An internet of network namespaces: `srv` is a bridge with the servers' addresses, and each home is a namespace `nat…`
 * with nftables between it and the only host `cli…`. To be run inside of namespaces of its own (`lab-namespaces.ts`):
 * when its process ends, nothing of all this is left.
 */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'

export interface HomeOptions {
  readonly rules?: string | undefined
  /** Of another NAT outside of it. */
  readonly carrier?: string | undefined
  readonly isRouted?: boolean | undefined
  readonly sysctls?: Readonly<Record<string, string>> | undefined
  readonly pool?: readonly number[] | undefined
}

export interface Home {
  /** The namespace of the host inside. */
  readonly client: string
  readonly wan: string
}

export interface LabCommand {
  /** With all of stdout. */
  readonly ended: Promise<string>
  write(text: string): void
  /** The first match in stderr. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
}

/** The first two are one server with RFC 5780, the others one without. */
export const serverAddresses = {
  first: '203.0.113.10',
  second: '203.0.113.11',
  third: '203.0.113.20',
  fourth: '203.0.113.21',
} as const

export class Lab {
  #homes = 0
  readonly #children = new Set<ChildProcess>()

  constructor() {
    sh(`
      mount -t tmpfs tmpfs /run
      mkdir /run/netns
      mount --bind /run/netns /run/netns
      mount --make-shared /run/netns
      ip netns add srv
      ip -n srv link set lo up
      ip -n srv link add br0 type bridge
      ip -n srv link set br0 up
      ip netns exec srv sysctl -qw net.ipv4.ip_forward=1
      ip -n srv addr add 198.51.100.254/24 dev br0
      ${Object.values(serverAddresses)
        .map((address) => `ip -n srv addr add ${address}/24 dev br0`)
        .join('\n')}`)
  }

  /** A home behind 198.51.100.N, its host 192.168.N.2. */
  home({ rules, carrier, isRouted, sysctls = {}, pool = [] }: HomeOptions): Home {
    const n = ++this.#homes
    const [nat, client, cgn] = [`nat${n}`, `cli${n}`, `cgn${n}`]
    const wan = `198.51.100.${n}`
    const host = `192.168.${n}.2`
    const names = {
      WAN: carrier === undefined ? wan : `100.64.${n}.2`,
      HOST: host,
      POOL0: `198.51.100.${200 + (pool[0] ?? 0)}`,
      POOL1: `198.51.100.${200 + (pool[1] ?? 0)}`,
    }
    sh(`
      ip netns add ${nat}; ip netns add ${client}
      ip -n ${nat} link set lo up; ip -n ${client} link set lo up
      ip -n ${nat} link add lan type veth peer name eth0 netns ${client}
      ip -n ${nat} addr add 192.168.${n}.1/24 dev lan; ip -n ${nat} link set lan up
      ip -n ${client} addr add ${host}/24 dev eth0; ip -n ${client} link set eth0 up
      ip -n ${client} route add default via 192.168.${n}.1
      ip netns exec ${nat} sysctl -qw net.ipv4.ip_forward=1`)
    if (carrier === undefined) this.#connect(nat, wan)
    else {
      sh(`
        ip netns add ${cgn}; ip -n ${cgn} link set lo up
        ip -n ${cgn} link add lan type veth peer name wan netns ${nat}
        ip -n ${cgn} addr add 100.64.${n}.1/24 dev lan; ip -n ${cgn} link set lan up
        ip -n ${nat} addr add 100.64.${n}.2/24 dev wan; ip -n ${nat} link set wan up
        ip -n ${nat} route add default via 100.64.${n}.1
        ip netns exec ${cgn} sysctl -qw net.ipv4.ip_forward=1`)
      this.#connect(cgn, wan)
      // What the home's NAT is to this one: its only host.
      load(cgn, carrier, { ...names, WAN: wan, HOST: `100.64.${n}.2` })
    }
    for (const one of pool) sh(`ip -n ${nat} addr add 198.51.100.${200 + one}/24 dev wan`)
    if (isRouted === true) sh(`ip -n srv route add 192.168.${n}.0/24 via ${wan}`)
    if (rules !== undefined) load(nat, rules, names)
    for (const [name, value] of Object.entries(sysctls))
      sh(`ip netns exec ${nat} sysctl -qw ${name}=${value}`)
    return { client, wan }
  }

  /** Starts the TypeScript file in that namespace. */
  node(
    namespace: string,
    file: string,
    args: readonly string[],
    stderr: 'inherit' | 'pipe' = 'inherit',
  ): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, file, ...args], {
      stdio: ['pipe', 'pipe', stderr],
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** `turnpike` with these arguments, as a person would use it. */
  command(namespace: string, args: readonly string[]): LabCommand {
    const child = this.node(namespace, 'bin/turnpike.ts', args, 'pipe')
    let [stdout, stderr] = ['', '']
    const ended = new Promise<string>((resolve) => child.once('close', () => resolve(stdout)))
    child.stdout?.on('data', (chunk) => {
      stdout += chunk
    })
    return {
      ended,
      write: (text) => child.stdin?.write(text),
      waitFor: (pattern) =>
        new Promise((resolve, reject) => {
          child.once('close', () => reject(new Error(`ended without ${pattern}: ${stderr}`)))
          child.stderr?.on('data', (chunk) => {
            stderr += chunk
            const match = pattern.exec(stderr)
            if (match !== null) resolve(match)
          })
        }),
    }
  }

  /** Runs it to its end, and gives what it writes. */
  async output(namespace: string, file: string, args: readonly string[]): Promise<string> {
    const child = this.node(namespace, file, args)
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
    })
    await new Promise((resolve) => child.once('close', resolve))
    return text
  }

  /** `turnpike serve` with RFC 5780 on the first two addresses; resolves when it listens. */
  serve(flags: readonly string[] = []): Promise<void> {
    const { first, second } = serverAddresses
    const listen = [`udp://${first}:3478`, `tcp://${first}:3478`, `tcp://${first}:443`]
    return this.#serve(listen, ['--alternate-address', second, ...flags])
  }

  /** The same without RFC 5780 on the other two, relaying from the third. */
  servePlain(): Promise<void> {
    const { third, fourth } = serverAddresses
    return this.#serve(
      [`udp://${third}:3478`, `udp://${fourth}:3478`],
      [...['--relay-address', third, '--allow-peer', '198.51.100.0/24']],
    )
  }

  async #serve(listen: readonly string[], flags: readonly string[]): Promise<void> {
    const child = this.node('srv', 'bin/turnpike.ts', [
      ...[
        'serve',
        ...(flags.includes('--secret') ? [] : ['--no-auth']),
        '--io',
        'dgram',
        '--log-level',
        'error',
      ],
      ...listen.flatMap((uri) => ['--listen', uri]),
      ...flags,
    ])
    await new Promise<void>((resolve, reject) => {
      let text = ''
      child.stdout?.on('data', (chunk) => {
        text += chunk
        if (text.includes('"event":"listening"')) resolve()
      })
      child.once('exit', (code) => reject(new Error(`turnpike serve ended with ${code}: ${text}`)))
    })
  }

  close(): void {
    for (const child of this.#children) child.kill('SIGKILL')
  }

  /** The outer side of a NAT on the internet's bridge. */
  #connect(namespace: string, wan: string): void {
    sh(`
      ip -n srv link add port${this.#homes} type veth peer name wan netns ${namespace}
      ip -n srv link set port${this.#homes} master br0 up
      ip -n ${namespace} addr add ${wan}/24 dev wan; ip -n ${namespace} link set wan up
      ip -n ${namespace} route add default via 198.51.100.254`)
  }
}

function load(namespace: string, rules: string, names: Readonly<Record<string, string>>): void {
  const text = Object.entries(names).reduce(
    (all, [name, address]) => all.replaceAll(`${name}HEX`, hex(address)).replaceAll(name, address),
    rules,
  )
  const { status, stderr } = spawnSync('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], {
    input: text,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`nft: ${stderr}\n${text}`)
}

function hex(address: string): string {
  return `0x${address
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')}`
}

function sh(script: string): void {
  execFileSync('sh', ['-e', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] })
}
