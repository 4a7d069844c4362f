import { createHash } from 'node:crypto';

/**
 * The fingerprint of a public key, as `ssh-keygen -l` has it: `SHA256:…`.
 * @param key as it stands in files, in base64
 */
export function fingerprintOf(key: string): string {
  const hash = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64');
  return `SHA256:${hash.replace(/=+$/, '')}`;
}
