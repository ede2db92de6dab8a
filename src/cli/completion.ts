/** `turnpike completion`: what a shell needs to complete commands and flags, made from commander's own description. */

import { Argument, Command, type Option } from 'commander'

const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]

/** A flag as the shells see it. */
interface Flag {
  /** `--listen`, and `-v` where there is one. */
  readonly names: readonly string[]
  readonly description: string
  readonly value: 'none' | 'file' | 'any' | readonly string[]
  readonly valueName: string
}

interface Described {
  readonly name: string
  readonly description: string
  readonly flags: readonly Flag[]
  /** The values that its first argument may have; files where it takes one. */
  readonly words: readonly string[]
}

/** `whole` gives the program with all commands loaded. */
export function completionCommand(whole: () => Promise<Command>): Command {
  return new Command('completion')
    .addArgument(new Argument('<shell>', 'for which shell').choices([...shells]))
    .addHelpText(
      'after',
      `
To have it in every new shell:
  bash  turnpike completion bash \\
          > ~/.local/share/bash-completion/completions/turnpike
  zsh   turnpike completion zsh > "\${fpath[1]}/_turnpike"
  fish  turnpike completion fish > ~/.config/fish/completions/turnpike.fish`,
    )
    .action(async (shell: Shell) => {
      process.stdout.write(completionFor(shell, await whole()))
    })
}

export function completionFor(shell: Shell, program: Command): string {
  const commands = program.commands.map(describe)
  const globals = program.options.map(flagOf)
  switch (shell) {
    case 'bash':
      return bash(commands, globals)
    case 'zsh':
      return zsh(commands)
    case 'fish':
      return fish(commands, globals)
  }
}

function describe(command: Command): Described {
  const help = {
    names: ['--help'],
    description: 'what it does and its flags',
    value: 'none',
    valueName: '',
  } as const
  return {
    name: command.name(),
    description: command.description(),
    flags: [...command.options.filter(({ hidden }) => !hidden).map(flagOf), help],
    words: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  }
}

function flagOf({ short, long, description, required, optional, argChoices, flags }: Option): Flag {
  const valueName = /[<[](.+?)[>\]]/.exec(flags)?.[1] ?? ''
  const takesValue = required || optional
  return {
    names: [long, short].filter((name) => name !== undefined && name !== null),
    description,
    value: takesValue ? (argChoices ?? (/file/.test(valueName) ? 'file' : 'any')) : 'none',
    valueName,
  }
}

function bash(commands: readonly Described[], globals: readonly Flag[]): string {
  const names = commands.map(({ name }) => name)
  const first = [...names, 'help', ...globals.flatMap((flag) => flag.names), '--help'].join(' ')
  const cases = commands.map(({ name, flags, words }) => {
    const files = flags.filter(({ value }) => value === 'file').flatMap((flag) => flag.names)
    const open = flags.filter(({ value }) => value === 'any').flatMap((flag) => flag.names)
    const chosen = flags.flatMap(({ names: own, value }) =>
      typeof value === 'string' ? [] : [`        ${own.join('|')}) words="${value.join(' ')}" ;;`],
    )
    const branches = [
      ...(files.length === 0
        ? []
        : [`        ${files.join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;;`]),
      ...(open.length === 0 ? [] : [`        ${open.join('|')}) return ;;`]),
      ...chosen,
      `        *) case "$cur" in -*) words="${flags.flatMap((flag) => flag.names).join(' ')}" ;; *) words="${words.join(' ')}" ;; esac ;;`,
    ]
    return `    ${name})\n      case "$prev" in\n${branches.join('\n')}\n      esac ;;`
  })
  return `# turnpike completion bash
_turnpike() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command="" words="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${COMP_WORDS[i]}" in
      ${names.join('|')}|help) command="\${COMP_WORDS[i]}"; break ;;
    esac
  done
  case "$command" in
    "") words="${first}" ;;
    help) words="${names.join(' ')}" ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _turnpike turnpike
`
}

function zsh(commands: readonly Described[]): string {
  const list = commands.map(({ name, description }) => `    '${name}:${zshText(description)}'`)
  const cases = commands.map(({ name, flags, words }) => {
    const specs = flags.map((flag) => `        ${zshFlag(flag)} \\`)
    const rest = words.length > 0 ? `'1:${name}:(${words.join(' ')})'` : "'*:file:_files'"
    return `      ${name})\n        _arguments \\\n${specs.join('\n')}\n        ${rest} ;;`
  })
  return `#compdef turnpike
_turnpike() {
  local -a commands
  commands=(
${list.join('\n')}
  )
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
${cases.join('\n')}
      esac ;;
  esac
}
_turnpike "$@"
`
}

function zshFlag({ names, description, value, valueName }: Flag): string {
  const said = `[${zshText(description)}]`
  const action = value === 'file' ? '_files' : typeof value === 'string' ? ' ' : `(${value.join(' ')})`
  const argument = value === 'none' ? '' : `:${zshText(valueName)}:${action}`
  return names.length === 1
    ? `'*${names[0]}${said}${argument}'`
    : `'*'{${names.join(',')}}'${said}${argument}'`
}

function zshText(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/'/g, "'\\''")
    .replace(/[[\]:]/g, '\\$&')
}

function fish(commands: readonly Described[], globals: readonly Flag[]): string {
  const isFirst = '__fish_use_subcommand'
  const lines = commands.flatMap(({ name, description, flags, words }) => {
    const isHere = `__fish_seen_subcommand_from ${name}`
    return [
      `complete -c turnpike -n ${isFirst} -f -a ${name} -d ${fishText(description)}`,
      ...flags.map((flag) => fishFlag(flag, isHere)),
      ...(words.length === 0 ? [] : [`complete -c turnpike -n '${isHere}' -f -a '${words.join(' ')}'`]),
    ]
  })
  return `# turnpike completion fish\n${[...globals.map((flag) => fishFlag(flag, isFirst)), ...lines].join('\n')}\n`
}

function fishFlag({ names, description, value }: Flag, condition: string): string {
  const spelt = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const takes =
    value === 'none'
      ? ''
      : value === 'file'
        ? ' -r -F'
        : value === 'any'
          ? ' -x'
          : ` -x -a '${value.join(' ')}'`
  return `complete -c turnpike -n '${condition}' ${spelt.join(' ')}${takes} -d ${fishText(description)}`
}

function fishText(text: string): string {
  return `'${text.replace(/\s+/g, ' ').replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`
}
