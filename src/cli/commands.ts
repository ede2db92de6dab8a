/**
 * All commands, in the order of the help. What a command is made of is imported when it is the one that was asked for:
 * to say that a flag is wrong should not take the time of loading everything.
 */

import type { Command } from 'commander'
import type { End } from './exit-codes.ts'

export interface CommandEntry {
  readonly name: string
  readonly description: string
  /** The command with its flags. `end` takes what the process is to end with; `whole` gives the program with all commands. */
  load(end: End, whole: () => Promise<Command>): Promise<Command>
}

export const commands: readonly CommandEntry[] = [
  {
    name: 'serve',
    description: 'Run the server until SIGTERM or SIGINT.',
    load: async () => (await import('./serve.ts')).serveCommand(),
  },
  {
    name: 'peer',
    description: 'Call a peer, or be called, without a browser.',
    load: async () => (await import('./peer.ts')).peerCommand(),
  },
  {
    name: 'nat',
    description: 'What kind of NAT is this, and who can connect through it?',
    load: async (end) => (await import('./nat.ts')).natCommand(end),
  },
  {
    name: 'check',
    description: 'Does this TURN server work, step by step, and if not, why and what helps?',
    load: async (end) => (await import('./check.ts')).checkCommand(end),
  },
  {
    name: 'ping',
    description: 'Latency, jitter and loss of STUN and TURN servers, live.',
    load: async (end) => (await import('./ping.ts')).pingCommand(end),
  },
  {
    name: 'ice',
    description: 'Which candidates does an ICE agent gather here, and why did a server give none?',
    load: async (end) => (await import('./ice.ts')).iceCommand(end),
  },
  {
    name: 'lifetime',
    description: 'How long does a mapping live, after a single exchange and after a stream?',
    load: async (end) => (await import('./lifetime.ts')).lifetimeCommand(end),
  },
  {
    name: 'predict',
    description: 'Can these two connect, how, and why? From two reports of turnpike nat --json.',
    load: async (end) => (await import('./predict.ts')).predictCommand(end),
  },
  {
    name: 'load',
    description: 'What does a TURN server carry? Allocations and traffic of your own, counted.',
    load: async (end) => (await import('./load.ts')).loadCommand(end),
  },
  {
    name: 'punch',
    description: 'Two hosts try for real whether they connect directly, and compare with the prediction.',
    load: async (end) => (await import('./punch.ts')).punchCommand(end),
  },
  {
    name: 'credentials',
    description: 'Mint TURN credentials that are good for a time, as iceServers for RTCPeerConnection.',
    load: async () => (await import('./credentials.ts')).credentialsCommand(),
  },
  {
    name: 'completion',
    description: 'Completion of commands and flags for bash, zsh or fish.',
    load: async (_, whole) => (await import('./completion.ts')).completionCommand(whole),
  },
  {
    name: 'throughput',
    description: 'What does a relay carry for one client? Goodput and round trips, step by step.',
    load: async (end) => (await import('./throughput.ts')).throughputCommand(end),
  },
  {
    name: 'selftest',
    description: 'Does this machine have all that serve with the same flags needs, and what helps?',
    load: async (end) => (await import('./selftest.ts')).selftestCommand(end),
  },
]
