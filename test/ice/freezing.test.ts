/** Pair states across checklists: the tables of RFC 8445 §6.1.2.6 and RFC 8838 §12, cell by cell. */

import { describe, expect, it } from 'vitest'
import { socketId } from '../../src/core/sans-io.ts'
import { TransportAddress } from '../../src/core/transport-address.ts'
import type { LocalCandidate, RemoteCandidate } from '../../src/ice/candidate.ts'
import { CandidatePair } from '../../src/ice/candidate-pair.ts'
import { Checklist } from '../../src/ice/checklist.ts'
import { ChecklistSet } from '../../src/ice/checklist-set.ts'
import { SoloIce } from '../support/ice-solo.ts'

const address = TransportAddress.parse('192.0.2.1:1')

/** A pair in the cell of a stream (row) and a foundation (column). */
function pair(
  stream: number,
  foundation: string,
  priority = 1000,
  component = 1,
  seen?: TransportAddress,
): CandidatePair {
  const common = { component, protocol: 'udp', type: 'host', address, stream, priority } as const
  const local: LocalCandidate = {
    ...common,
    id: 'l',
    foundation,
    socket: socketId(1),
    base: address,
    checkPriority: 1,
  }
  const remote: RemoteCandidate = {
    ...common,
    id: 'r',
    foundation: 'x',
    ...(seen && { type: 'srflx', address: seen }),
  }
  return new CandidatePair('p', local, remote, 'controlling')
}

/** Rows as in the RFCs: the foundations that have a pair in each checklist. */
function setOf(rows: readonly string[]): ChecklistSet {
  const lists = rows.map((row, stream) => {
    const list = new Checklist(stream, 2)
    for (const foundation of row.split(' ')) list.insert(pair(stream, foundation))
    return list
  })
  return new ChecklistSet(lists)
}

function statesOf(set: ChecklistSet): string[] {
  return set.lists.map((list) =>
    [...list.pairs]
      .sort((x, y) => x.foundation.localeCompare(y.foundation))
      .map(({ state, local }) => `${state[0]?.toUpperCase()}${local.foundation}`)
      .join(' '),
  )
}

describe('when checks begin', () => {
  it('one pair of each foundation is Waiting, as in table 1 of RFC 8445', () => {
    const set = setOf(['f1 f2 f3', 'f1 f2 f3 f4', 'f1 f5'])
    expect(statesOf(set)).toEqual(['Ff1 Ff2 Ff3', 'Ff1 Ff2 Ff3 Ff4', 'Ff1 Ff5'])
    set.begin()
    expect(statesOf(set)).toEqual(['Wf1 Wf2 Wf3', 'Ff1 Ff2 Ff3 Wf4', 'Ff1 Wf5'])
  })

  it('of one foundation the lowest component goes first, then the highest priority', () => {
    const list = new Checklist(0, 2)
    const pairs = [pair(0, 'f', 3000, 2), pair(0, 'f', 1000, 1), pair(0, 'f', 2000, 1)]
    for (const each of pairs) list.insert(each)
    new ChecklistSet([list]).begin()
    expect(pairs.map(({ state }) => state)).toEqual(['frozen', 'frozen', 'waiting'])
  })
})

describe('when a pair succeeds', () => {
  it('all pairs of its foundation thaw, as in table 3 of RFC 8838', () => {
    const set = setOf(['f1 f2 f3', 'f1 f2 f3 f4', 'f1', 'f1'])
    set.begin()
    const first = set.lists[0]!.pairs.find(({ local }) => local.foundation === 'f1')!
    first.state = 'succeeded'
    set.unfreeze(first.foundation)
    expect(statesOf(set)).toEqual(['Sf1 Wf2 Wf3', 'Wf1 Ff2 Ff3 Wf4', 'Wf1', 'Wf1'])
  })
})

describe('a pair that comes later (RFC 8838 §12)', () => {
  const begun = () => {
    const set = setOf(['f1 f2 f3', 'f1 f2 f3 f4'])
    set.begin()
    return set
  }

  it('is Waiting if it is the first of its foundation: rule 1', () => {
    const set = begun()
    expect(set.stateOfNew(pair(0, 'f5'), set.lists[0]!)).toBe('waiting')
  })

  it('is Waiting if it ranks before all others of its foundation: rule 1', () => {
    const set = begun()
    expect(set.stateOfNew(pair(0, 'f1', 2000), set.lists[0]!)).toBe('waiting')
    expect(set.stateOfNew(pair(0, 'f4'), set.lists[0]!)).toBe('waiting')
  })

  it('is Waiting if one of its foundation has succeeded: rule 2', () => {
    const set = begun()
    set.lists[1]!.pairs.find(({ local }) => local.foundation === 'f4')!.state = 'succeeded'
    expect(set.stateOfNew(pair(1, 'f4', 1), set.lists[1]!)).toBe('waiting')
  })

  it('is Frozen otherwise: rule 3', () => {
    const set = begun()
    expect(set.stateOfNew(pair(1, 'f3', 1), set.lists[1]!)).toBe('frozen')
    expect(set.stateOfNew(pair(0, 'f1', 1), set.lists[0]!)).toBe('frozen')
  })
})

describe('two reflexive addresses of one foundation', () => {
  const seen = [1, 2].map((port) => TransportAddress.of('198.51.100.1', port))

  it('are both checked, for one is what a NAT has made of the other', () => {
    const list = new Checklist(0, 2)
    list.insert(pair(0, 'f', 2000, 1, seen[0]))
    const set = new ChecklistSet([list])
    set.begin()
    expect(set.stateOfNew(pair(0, 'f', 1000, 1, seen[1]), list)).toBe('waiting')
    expect(set.stateOfNew(pair(0, 'f', 1000, 2, seen[1]), list)).toBe('frozen')
  })

  it('wait both where another stream is first', () => {
    const lists = [0, 1].map((stream) => {
      const list = new Checklist(stream, 1)
      for (const [i, address] of seen.entries()) list.insert(pair(stream, 'f', 2000 - i, 1, address))
      return list
    })
    new ChecklistSet(lists).begin()
    expect(lists.map(({ pairs }) => pairs.map(({ state }) => state))).toEqual([
      ['waiting', 'waiting'],
      ['frozen', 'frozen'],
    ])
  })
})

describe('a frozen pair', () => {
  it('thaws when no pair of its foundation is being checked (RFC 8445 §6.1.4.2 step 2)', () => {
    const set = setOf(['f1', 'f1'])
    set.begin()
    set.thaw(set.lists[1]!)
    expect(statesOf(set)).toEqual(['Wf1', 'Ff1'])
    set.lists[0]!.pairs[0]!.state = 'failed'
    set.thaw(set.lists[1]!)
    expect(statesOf(set)).toEqual(['Ff1', 'Wf1'])
  })
})

describe('an agent with two streams', () => {
  const streams = () => {
    const solo = new SoloIce({ streams: 2 })
    for (const stream of [0, 1]) {
      solo.agent.addLocalCandidate(
        { type: 'host', socket: socketId(stream), address: address.withPort(1000 + stream), stream },
        solo.now,
      )
    }
    solo.describe()
    for (const stream of [0, 1]) {
      const remote = TransportAddress.of('198.51.100.1', 2000 + stream)
      const description = { foundation: '1', component: 1, protocol: 'udp', type: 'host' } as const
      solo.agent.addRemoteCandidate(
        { ...description, address: remote, priority: 2_130_706_431 },
        solo.now,
        stream,
      )
    }
    return solo
  }

  it('checks the second one when the first has shown that the foundation works', () => {
    const solo = streams()
    solo.elapse(400)
    expect(solo.requests().map(({ destination }) => destination.port)).toEqual([2000])
    solo.answerAll()
    solo.elapse(50)
    expect(solo.requests().map(({ destination }) => destination.port)).toContain(2001)
  })

  it('is completed when both are', () => {
    const solo = streams()
    for (let i = 0; i < 6; i++) {
      solo.elapse(50)
      solo.answerAll()
    }
    expect(solo.agent.state).toBe('completed')
    expect(solo.agent.sendPath(0)?.destination.port).toBe(2000)
    expect(solo.agent.sendPath(1)?.destination.port).toBe(2001)
  })
})

it('components that the peer does not have are not waited for (RFC 8445 §6.1.2.2)', () => {
  const solo = new SoloIce({ components: 2 })
  for (const component of [1, 2]) {
    solo.agent.addLocalCandidate(
      { type: 'host', socket: socketId(component), address: address.withPort(1000 + component), component },
      solo.now,
    )
  }
  solo.describe()
  solo.addRemote(TransportAddress.parse('198.51.100.1:2000'))
  solo.elapse(0)
  solo.answerAll()
  expect(solo.agent.state).toBe('checking')
  solo.agent.endOfRemoteCandidates(solo.now)
  solo.drain()
  // The nomination waits for its turn.
  solo.elapse(5)
  solo.answerAll()
  expect(solo.agent.state).toBe('completed')
})
