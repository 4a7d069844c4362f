import { stripVTControlCharacters } from 'node:util';

/**
 * What a terminal was sent, as text: cursor movements become line breaks, frames drawn in line graphics (between SO and
 * SI) spaces; colours and all else that is not text are left out.
 */
export function readable(sent: string): string {
  const lines = sent
    .replaceAll(/\x1b\[\d+;\d+H/g, '\n')
    .replaceAll(/\x0e[^\x0f]*\x0f/g, ' ')
    .replaceAll(/\x1b(?:[()].|%.|[a-z](?![\x20-\x7e]))/g, '');
  return stripVTControlCharacters(lines).replaceAll('\r', '');
}
