import { existsSync, readFileSync } from 'node:fs';
import { AUTHORITY_LISTS, certificatesIn } from '../../contract/authorities.ts';

let trusted: string | undefined;

/**
 * Certificates of the authorities on the medium are taken from now on, beside those the runtime knows: the tool set
 * `network` brings the list of the machine that built the medium.
 * @returns what each request must be given, because the runtime (Bun) takes it in no other way
 */
export async function trustOwnAuthorities(): Promise<{ ca?: string[] }> {
  const list = AUTHORITY_LISTS.find((path) => existsSync(path));
  if (!list) return {};
  const tls = await import('node:tls');
  const all = () => [...tls.rootCertificates, ...certificatesIn(readFileSync(list, 'utf8'))];
  if (!tls.setDefaultCACertificates) return { ca: all() };
  if (list !== trusted) tls.setDefaultCACertificates(all());
  trusted = list;
  return {};
}
