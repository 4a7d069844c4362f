import { lstatSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** How far a run has come, in words: files, bytes, bytes a second, about how long it goes on, the volume at hand. */
export class Progress {
  readonly #started: number;
  readonly #expected: number | null;
  #files = 0;
  #bytes = 0;

  /**
   * @param expected bytes there are to read, about; null: nobody knows
   * @param now milliseconds
   */
  constructor(expected: number | null, now: number) {
    this.#expected = expected;
    this.#started = now;
  }

  add(files: number, bytes: number): void {
    this.#files += files;
    this.#bytes += bytes;
  }

  words(volume: number, now: number): string {
    const seconds = Math.max(0.001, (now - this.#started) / 1000);
    const rate = this.#bytes / seconds;
    const left = (this.#expected ?? 0) - this.#bytes;
    return [
      `${this.#files} files`,
      megabytes(this.#bytes),
      `${megabytes(rate)}/s`,
      ...(left > 0 && seconds > SETTLED && rate > 0 ? [`about ${duration(left / rate)} left`] : []),
      ...(volume > 0 ? [`volume ${volume}`] : []),
    ].join(', ');
  }
}

/** Seconds after which the rate tells something. */
const SETTLED = 5;

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds / 10) * 10} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** Bytes in use where whole file systems are archived: that costs nothing to ask. Null of parts of some. */
export function bytesInUse(starts: readonly string[]): number | null {
  const devices = new Map<number, number>();
  for (const path of starts) {
    const { dev } = lstatSync(path);
    const isWhole = path === '/' || lstatSync(dirname(path)).dev !== dev;
    if (!isWhole && !devices.has(dev)) return null;
    const { blocks, bfree, bsize } = statfsSync(path);
    devices.set(dev, (blocks - bfree) * bsize);
  }
  return [...devices.values()].reduce((sum, used) => sum + used, 0);
}
