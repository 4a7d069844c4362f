/** `-rw-r--r--` from a letter for the type and the permission bits. */
export function modeText(letter: string, mode: number): string {
  const permissions = [6, 3, 0].map((shift) =>
    'rwx'.replaceAll(/./g, (one, n) => ((mode >> (shift + 2 - n)) & 1 ? one : '-')),
  );
  return `${letter}${permissions.join('')}`;
}

/** `2026-01-31 12:00`, in UTC; the text itself where it is no time. */
export function shortTime(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : date.toISOString().slice(0, 16).replace('T', ' ');
}
