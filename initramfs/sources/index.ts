import { withoutPassword } from '../../contract/command-line.ts';
import type { Context } from '../boot.ts';
import { cifs } from './cifs.ts';
import { disc } from './disc.ts';
import { disk } from './disk.ts';
import { http } from './http.ts';
import { iscsi } from './iscsi.ts';
import { nfs } from './nfs.ts';
import { s3 } from './s3.ts';
import { sftp } from './sftp.ts';
import { type OpenSource, SourceError, type SourceKind } from './source.ts';
import { tape } from './tape.ts';
import { usb } from './usb.ts';

export const SOURCES: readonly SourceKind[] = [disc, usb, disk, tape, nfs, cifs, sftp, http, s3, iscsi];

/**
 * Opens the source at an address.
 * @throws SourceError
 */
export async function openSource(text: string, context: Context): Promise<OpenSource> {
  const address = URL.canParse(text) ? new URL(text) : null;
  const kind = SOURCES.find(({ schemes }) => schemes.some((scheme) => address?.protocol === `${scheme}:`));
  if (!address || !kind) {
    const known = SOURCES.flatMap(({ schemes }) => schemes.map((scheme) => `${scheme}:`)).join(', ');
    throw new SourceError(
      `"${withoutPassword(text)}" is no address of restore data.`,
      `It begins with one of ${known}.`,
    );
  }
  return kind.open(address, context);
}

/** Addresses of everything that is found without being told. */
export async function findSources(context: Context): Promise<string[]> {
  const found: string[] = [];
  for (const { find } of SOURCES) found.push(...((await find?.(context)) ?? []));
  return found;
}
