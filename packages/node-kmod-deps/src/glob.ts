/**
 * fnmatch(3) without flags, as libkmod uses it: `*` crosses everything, `?` is one character, `[a-z]`, `[!a-z]`,
 * backslash quotes. Never more than |pattern| x |text| steps.
 */
export function globMatch(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starPattern = -1;
  let starText = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      starPattern = p;
      starText = t;
      p += 1;
      continue;
    }
    const next = matchOne(pattern, p, text[t] as string);
    if (next > 0) {
      p = next;
      t += 1;
    } else if (starPattern >= 0) {
      starText += 1;
      t = starText;
      p = starPattern + 1;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** Index after the pattern element at `p` when it matches `character`, else 0. */
function matchOne(pattern: string, p: number, character: string): number {
  const element = pattern[p];
  if (element === undefined) return 0;
  if (element === '?') return p + 1;
  if (element === '[') {
    const end = bracketEnd(pattern, p);
    if (end > 0) return inBracket(pattern.slice(p + 1, end), character) ? end + 1 : 0;
  }
  if (element === '\\' && p + 1 < pattern.length) return pattern[p + 1] === character ? p + 2 : 0;
  return element === character ? p + 1 : 0;
}

/** A `]` right after `[` or `[!` is an ordinary member. An unclosed bracket is an ordinary `[` (0). */
function bracketEnd(pattern: string, start: number): number {
  let i = start + 1;
  if (pattern[i] === '!' || pattern[i] === '^') i += 1;
  return Math.max(0, pattern.indexOf(']', i + 1));
}

function inBracket(set: string, character: string): boolean {
  const negated = set[0] === '!' || set[0] === '^';
  let i = negated ? 1 : 0;
  while (i < set.length) {
    const range = set[i + 1] === '-' && i + 2 < set.length;
    const low = set[i] as string;
    const high = range ? (set[i + 2] as string) : low;
    if (low <= character && character <= high) return !negated;
    i += range ? 3 : 1;
  }
  return negated;
}

/** Whether any character of it is special to `globMatch`. */
export function isGlob(pattern: string): boolean {
  return /[*?[\\]/.test(pattern);
}

/** The part of a pattern before its first special character. */
export function literalPrefix(pattern: string): string {
  const at = pattern.search(/[*?[\\]/);
  return at < 0 ? pattern : pattern.slice(0, at);
}
