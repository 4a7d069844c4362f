import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** One file for each that names name servers; /etc/udhcpc/default.script writes there, too, and joins them as this does. */
const FOLDER = '/run/mindi/resolver';
/** What people told comes first: glibc asks only three. */
const TOLD = '0-told';

/** Takes name servers besides those that DHCP tells. */
export function useNameservers(servers: readonly string[]): void {
  if (servers.length === 0) return;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, TOLD), servers.map((server) => `nameserver ${server}\n`).join(''));
  const files = readdirSync(FOLDER).sort();
  writeFileSync('/etc/resolv.conf', files.map((file) => readFileSync(join(FOLDER, file), 'utf8')).join(''));
}
