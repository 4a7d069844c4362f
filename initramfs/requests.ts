import { readFileSync, statSync } from 'node:fs';

/** Where the program the kernel runs when it wants a module notes what it could not load, a name a line. */
const FILE = '/run/mindi/requests';

/** What the kernel asked for in vain, each once. */
export function requestsInVain(): string[] {
  try {
    return [...new Set(readFileSync(FILE, 'utf8').split('\n').filter(Boolean))];
  } catch {
    return [];
  }
}

/** Changes whenever there is one more. */
export function requestsSize(): number {
  return statSync(FILE, { throwIfNoEntry: false })?.size ?? 0;
}
