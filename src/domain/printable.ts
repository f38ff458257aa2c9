const limit = 128

/**
 * Text from outside (ids, labels, an engine's messages) made safe for a log line, a terminal or an audit message:
 * control, formatting and lone surrogate characters are escaped, and at most 128 characters are kept.
 */
export const printable = (text: string): string => {
  const escaped = text
    .slice(0, limit + 1)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
  return escaped.length > limit ? `${escaped.slice(0, limit)}…` : escaped
}
