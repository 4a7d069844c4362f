import { existsSync, readFileSync } from 'node:fs';

/** The list as distributions have it; the tool set `network` brings that of the machine that built the medium. */
const LISTS = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem'];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

let trusted: string | undefined;

/**
 * Certificates of the authorities on the medium are taken from now on, beside those the runtime knows. For the init, which
 * began before the medium's list was there; commands get it when they start (/usr/lib/mindi/runtime).
 */
export async function trustOwnAuthorities(): Promise<void> {
  const list = LISTS.find((path) => existsSync(path));
  if (!list || list === trusted) return;
  trusted = list;
  const tls = await import('node:tls');
  const own = readFileSync(list, 'utf8').match(CERTIFICATE) ?? [];
  // Bun has no such function.
  tls.setDefaultCACertificates?.([...tls.rootCertificates, ...own]);
}
