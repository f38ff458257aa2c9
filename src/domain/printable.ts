/**
 * Makes text from outside (ids, labels, an engine's words) safe for a log line, a terminal or an audit message: control,
 * formatting and lone surrogate characters are escaped, and at most `limit` characters are kept.
 */
export const printableUpTo =
  (limit: number) =>
  (text: string): string => {
    const escaped = text
      .slice(0, limit + 1)
      .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
    return escaped.length > limit ? `${escaped.slice(0, limit)}…` : escaped
  }

export const printable = printableUpTo(128)
