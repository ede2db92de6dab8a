/** The profile: whose code a symbol of `perf report` is, summed up. */

import { describe, expect, it } from 'vitest'
import { costliest, ownerOf, owners, readReport, sharesOf } from '../../bench/profile/shares.ts'

const report = `
# Samples: 4K of event 'cycles'
# Overhead|Shared Object|Symbol
    20.00%|[kernel.kallsyms]|[k] udp_sendmsg
    10.50%|[JIT] tid 7|[.] JS:*'fromChannel file:///home/x/src/turn/relaying.ts:67:14
     8.00%|[JIT] tid 7|[.] JS:*turn file:///home/x/src/net/udp-mmsg/ring-io.ts:156:7
     7.00%|[JIT] tid 7|[.] JS:+'onMessage node:dgram:1098:19
     6.00%|node|[.] Builtins_CreateTypedArray
     5.00%|node|[.] v8::internal::Scavenger::ScavengePage
     4.00%|node|[.] v8::internal::compiler::GraphReducer::Reduce
     3.00%|node|[.] uv__udp_recvmsg
     2.00%|libc.so.6|[.] malloc
     1.00%|node|[.] v8::internal::Factory::NewJSTypedArray
not a line
`

describe('a profile', () => {
  const entries = readReport(report)

  it.each([
    ['udp_sendmsg', 'kernel'],
    ['fromChannel', 'turnpike: engine (src/turn, src/stun, src/core)'],
    ['ring-io', 'turnpike: driver and shard (src/net, src/server)'],
    ['onMessage', 'Node’s JavaScript'],
    ['CreateTypedArray', 'V8: built-ins and runtime'],
    ['Scavenger', 'V8: garbage collection and compilers'],
    ['GraphReducer', 'V8: garbage collection and compilers'],
    ['uv__udp', 'Node and libuv, in C++'],
    ['malloc', 'C library'],
    ['NewJSTypedArray', 'V8: built-ins and runtime'],
  ])('takes %s for code of: %s', (symbol, owner) => {
    expect(ownerOf(entries.find((entry) => entry.symbol.includes(symbol))!)).toBe(owner)
  })

  it('sums up what each owner takes, and loses nothing', () => {
    const shares = sharesOf(entries)
    expect(owners.map((owner) => shares.get(owner))).toEqual([10.5, 8, 7, 7, 9, 3, 2, 20])
  })

  it('names the costliest first, a function by its file', () => {
    expect(costliest(entries, 4)).toBe(
      '`udp_sendmsg` 20.0 %, `fromChannel (relaying.ts)` 10.5 %, `turn (ring-io.ts)` 8.0 %, `onMessage (node:dgram)` 7.0 %',
    )
  })
})
