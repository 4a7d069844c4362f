import type { Consoles } from './consoles.ts';
import { sizeText } from './size-text.ts';

/** Milliseconds between two lines. */
const EVERY = 1000;

/** Returns what is told how many of `total` bytes are done; the consoles show rate, share and the time left. */
export function showProgress(
  consoles: Pick<Consoles, 'progress'>,
  what: string,
  total: number,
): (done: number) => void {
  const began = performance.now();
  let last = began;
  return (done) => {
    const now = performance.now();
    if (now - last < EVERY) return;
    last = now;
    consoles.progress(progressLine(what, done, total, (now - began) / 1000));
  };
}

/** The same for file after file. */
export function showFiles(consoles: Pick<Consoles, 'progress'>): (path: string, done: number, size: number) => void {
  let current = '';
  let show = (_done: number) => {};
  return (path, done, size) => {
    if (path !== current) show = showProgress(consoles, `checking ${path}`, size);
    current = path;
    show(done);
  };
}

/** `checking mindi/stage2.squashfs: 45 %, 12.3 MB of 27.1 MB, 5.0 MB/s, 3 s left` */
export function progressLine(what: string, done: number, total: number, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const parts = [
    total > 0
      ? `${Math.floor((100 * Math.min(done, total)) / total)} %, ${sizeText(done)} of ${sizeText(total)}`
      : sizeText(done),
  ];
  if (rate > 0) parts.push(`${sizeText(rate)}/s`);
  if (rate > 0 && total > done) parts.push(`${duration((total - done) / rate)} left`);
  return `${what}: ${parts.join(', ')}`;
}

/** `8 s`, `2 min 5 s`, `3 h 20 min` */
export function duration(seconds: number): string {
  const all = Math.ceil(seconds);
  if (all < 60) return `${all} s`;
  if (all < 3600) return `${Math.floor(all / 60)} min ${all % 60} s`;
  return `${Math.floor(all / 3600)} h ${Math.floor((all % 3600) / 60)} min`;
}
