const escapeHidden = (text: string) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)

const limit = 128

/**
 * Makes text from outside (ids, labels, an engine's words) safe for a log line, a terminal or an audit message: control,
 * formatting and lone surrogate characters are escaped, and at most 128 characters are kept.
 */
export const printable = (text: string): string => {
  const escaped = escapeHidden(text.slice(0, limit + 1))
  return escaped.length > limit ? `${escaped.slice(0, limit)}…` : escaped
}

/**
 * The same for an explanation, of which the first and last `half` characters are kept, because it begins with what was done and
 * ends with what went wrong.
 */
export const printableEnds =
  (half: number) =>
  (text: string): string => {
    const head = escapeHidden(text.slice(0, 2 * half + 1))
    if (head.length <= 2 * half) return head
    return `${head.slice(0, half)}…${escapeHidden(text.slice(-half)).slice(-half)}`
  }
