/** Drawings of a report, as data: screens carry them beside the drawing in characters, and `figures.ts` draws them. */

import type { Mark } from '../screen/mark.ts'

export type Figure =
  /** Which port our one socket has toward each destination. */
  | {
      readonly kind: 'mapping'
      readonly local: string
      readonly middle: string
      readonly arms: readonly {
        readonly destination: string
        readonly port: string
        readonly isFirst: boolean
      }[]
      readonly says: string
    }
  /** A way from place to place; a link is between two stations that stand beside each other. */
  | {
      readonly kind: 'route'
      readonly stations: readonly { readonly title: string; readonly detail: string }[]
      readonly links: readonly { readonly label: string; readonly mark: Mark }[]
      /** The way back, and how long all of it took. */
      readonly back: string | undefined
    }
  /** What happened when. */
  | {
      readonly kind: 'timeline'
      readonly rows: readonly {
        readonly label: string
        readonly startMs: number
        readonly endMs: number
        readonly mark: Mark
        readonly text: string
      }[]
    }
