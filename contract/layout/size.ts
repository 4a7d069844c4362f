/** A size as people write it: whole bytes, or a number of binary units. */
export const SIZE_PATTERN = '^[0-9]{1,12}(?:[KMGTP]iB)?$';

const UNITS = ['', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `512MiB` in bytes; NaN for what SIZE_PATTERN does not take. */
export function parseSize(text: string | number): number {
  const [, digits, unit = ''] = /^(\d{1,16})([KMGTP]iB)?$/.exec(String(text)) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * 1024 ** UNITS.indexOf(unit);
}

/** Bytes in the largest unit that says them exactly: `512MiB`; a number where only bytes do. */
export function sizeText(bytes: number): string | number {
  let [value, unit] = [bytes, 0];
  while (value > 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? bytes : `${value}${UNITS[unit]}`;
}
