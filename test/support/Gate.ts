/** A statement or a request that has arrived at a proxy (`before`), or its answer, when it was carried out (`after`). */
export interface Passage {
  readonly side: "before" | "after"
  /** A statement's text, after `rehearsal: ` if it is part of one, or a request's method and path with query. */
  readonly what: string
  /** A statement's parameters, as far as they are text. */
  readonly parameters: ReadonlyArray<string>
}

/** `cut` closes the connection instead of passing it on, so that its answer is lost or it never arrives. */
export type Verdict = "pass" | "cut"

/** Asked about everything that passes a proxy. A promise holds it, and what comes after it on the same connection. */
export type Gate = (passage: Passage) => Verdict | Promise<Verdict>

export const open: Gate = () => "pass"
