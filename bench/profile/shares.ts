/** What `perf report` says of a server, summed up by whose code it is. */

export interface Entry {
  readonly percent: number
  readonly object: string
  readonly symbol: string
}

/** Whose code a symbol is, in the order of a packet's way down. */
export const owners = [
  'turnpike: engine (src/turn, src/stun, src/core)',
  'turnpike: driver and shard (src/net, src/server)',
  'Node’s JavaScript',
  'V8: built-ins and runtime',
  'V8: garbage collection and compilers',
  'Node and libuv, in C++',
  'C library',
  'kernel',
] as const

export type Owner = (typeof owners)[number]

/** Lines of `perf report --sort dso,sym -t '|'`: `  2.62%|[JIT] tid 1|[.] JS:*fromChannel file:///…/src/turn/relaying.ts:67:14`. */
export function readReport(text: string): Entry[] {
  return text.split('\n').flatMap((line) => {
    const [percent, object, symbol] = line.split('|').map((part) => part.trim())
    if (percent === undefined || object === undefined || symbol === undefined || !/^[\d.]+%$/.test(percent))
      return []
    return [{ percent: Number.parseFloat(percent), object, symbol: symbol.replace(/^\[[.k]\] /, '') }]
  })
}

export function ownerOf({ object, symbol }: Entry): Owner {
  if (/\/src\/(turn|stun|core)\//.test(symbol)) return owners[0]
  if (/\/src\/(net|server)\//.test(symbol)) return owners[1]
  if (/^JS:.* node:/.test(symbol)) return owners[2]
  if (object.startsWith('[kernel')) return owners[7]
  if (/^lib(c|pthread|m|stdc\+\+)\b/.test(object) || object === '[vdso]') return owners[6]
  if (
    /scaveng|sweep|mark(ing|compact)|garbage|gcjob|compiler|turbo|maglev|sparkplug|parser|interpreter::/i.test(
      symbol,
    )
  )
    return owners[4]
  if (/^Builtins_|v8::|_ZN2v8|^JS:|Bytecode/.test(symbol) || object.startsWith('[JIT]')) return owners[3]
  return owners[5]
}

export function sharesOf(entries: readonly Entry[]): ReadonlyMap<Owner, number> {
  const shares = new Map<Owner, number>(owners.map((owner) => [owner, 0]))
  for (const entry of entries) {
    const owner = ownerOf(entry)
    shares.set(owner, shares.get(owner)! + entry.percent)
  }
  return shares
}

/** The costliest, as one may read them: a function of ours by its name and file. */
export function costliest(entries: readonly Entry[], count: number): string {
  return [...entries]
    .sort((x, y) => y.percent - x.percent)
    .slice(0, count)
    .map(({ symbol, percent }) => `\`${nameOf(symbol)}\` ${percent.toFixed(1)} %`)
    .join(', ')
}

function nameOf(symbol: string): string {
  const [, name, file] = /^JS:[*+^~]?'?(\S*) (?:file:\/\/.*\/)?(\S+?)(?::\d+)*$/.exec(symbol) ?? []
  return name === undefined ? symbol.replace(/\(.*/, '') : `${name} (${file})`
}
