import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** A secret key in a new file of the folder, and the public one of it. */
export function makeAgeKey(folder: string): { key: string; recipient: string } {
  const key = join(folder, 'key.txt');
  execFileSync('age-keygen', ['-o', key], { stdio: 'ignore' });
  return { key, recipient: execFileSync('age-keygen', ['-y', key]).toString().trim() };
}
