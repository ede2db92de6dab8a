/**
 * What a screen is made of, in the order in which it is read: the verdict, the facts, the evidence, what to do. Commands
 * say what there is to say; `render.ts` says it to a person or, with --plain, to a program.
 */

import type { Figure } from '../html/figure.ts'
import type { Mark } from './mark.ts'

export type { Mark } from './mark.ts'

export type Cell = string | { readonly mark: Mark; readonly text?: string }

export interface Fact {
  readonly label: string
  readonly value: Cell
}

export type Block =
  /** One line above all: the command, how many servers, how long it took. */
  | { readonly type: 'title'; readonly left: string; readonly right?: string }
  /** Whole sentences. */
  | { readonly type: 'verdict'; readonly sentences: readonly string[]; readonly mark?: Mark }
  | { readonly type: 'facts'; readonly facts: readonly Fact[] }
  | {
      readonly type: 'table'
      /** What a row is called in plain output: `transport`, `server`. */
      readonly name: string
      readonly columns: readonly string[]
      readonly rows: readonly (readonly Cell[])[]
      /** Numbers, which stand flush right. */
      readonly right?: readonly number[]
    }
  /** Lines as they are. Left out of plain output. */
  | {
      readonly type: 'drawing'
      readonly lines: readonly string[]
      /** What a page shows instead. */
      readonly figure?: Figure
    }
  /** What is wrong or not known, with the cure. */
  | {
      readonly type: 'problems'
      readonly problems: readonly { readonly mark: Mark; readonly text: string }[]
    }
  /** Commands to try next. */
  | { readonly type: 'next'; readonly commands: readonly string[] }
