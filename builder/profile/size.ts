const UNITS: Record<string, number> = { k: 10, m: 20, g: 30, t: 40 };
const DECIMAL: Record<string, number> = { kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };

/** `700MiB`, `700m` and `700M` are 700 x 2^20 bytes, `4.7GB` is 4.7 x 10^9, a number alone is bytes. Null: it is none. */
export function parseSize(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?(?:i?b)?)$/i.exec(text.trim()) ?? [];
  if (digits === '') return null;
  const small = unit.toLowerCase();
  const factor = DECIMAL[small] ?? 2 ** (UNITS[small.replace(/i?b$/, '')] ?? 0);
  const bytes = Math.round(Number(digits) * factor);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

const SPANS: Record<string, number> = { m: 1, h: 60, d: 24 * 60, w: 7 * 24 * 60, y: 365 * 24 * 60 };

/** `90d`, `12h`, `2w`, `5y`: minutes. Null: it is none. */
export function parseSpan(text: string): number | null {
  const [, digits, unit] = /^(\d{1,6})([mhdwy])$/.exec(text.trim()) ?? [];
  return digits && unit ? Number(digits) * (SPANS[unit] as number) : null;
}
