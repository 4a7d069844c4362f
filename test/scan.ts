import decodeQR from 'qr/decode.js';

/** Pixels of a module: a camera sees more than one, too. */
const SCALE = 4;

/** What a phone reads from a terminal: each character of the code is two modules, one above the other. */
export function scanned(screen: string): string {
  const rows = screen
    .split('\n')
    .map((line) => /^[▀▄█ ]{20,}/.exec(line)?.[0] ?? '')
    .filter(Boolean);
  const columns = Math.max(...rows.map((row) => row.trimEnd().length));
  const isLight = (x: number, y: number) =>
    ['█', y % 2 === 0 ? '▀' : '▄'].includes(rows[Math.floor(y / 2)]?.[x] ?? ' ');
  const [width, height] = [columns * SCALE, rows.length * 2 * SCALE];
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const [x, y] = [Math.floor((pixel % width) / SCALE), Math.floor(pixel / width / SCALE)];
    data.fill(isLight(x, y) ? 255 : 0, pixel * 4, pixel * 4 + 3);
  }
  return decodeQR({ width, height, data });
}
