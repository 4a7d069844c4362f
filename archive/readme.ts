import {
  CATALOG,
  IDENTITY,
  type MethodName,
  PARITY,
  SEALED_CATALOG,
  SHA256SUMS,
  SLICE,
} from '../contract/archive-set.ts';
import type { Volume } from '../contract/volume.ts';
import { archiveSuffix, METHODS } from './compression.ts';
import type { SetKeys } from './encryption/keys.ts';

const TAR = "tar -x -p --numeric-owner --xattrs --xattrs-include='*' --acls -C /target";

/** What stands on each volume for whoever has nothing but it, tar and the unpacker. */
export function readmeText(volume: Volume, method: MethodName, keys: SetKeys, parity: number | null): string {
  const { byHand } = METHODS[method];
  const sealed = keys.recipients.length > 0;
  const programs = [...(sealed ? ['age'] : []), 'tar', byHand.split(' ')[0]];
  const catalog = sealed ? SEALED_CATALOG : CATALOG;
  const archives = `[0-9]*.tar${archiveSuffix(method, sealed)}`;
  const opened = (file: string, program: string) =>
    sealed ? `age -d -i key ${file} | ${program}` : `${program} < ${file}`;
  return `Files of ${volume.machine}, archived ${volume.created}: volume ${volume.number}${volume.of === null ? '' : ` of ${volume.of}`} of the set
${volume.set}.

With mindi:

    mindi list SET; mindi verify SET; mindi extract SET [PATH...] --to DIR      SET: the directory with the volumes

By hand, with ${programs.slice(0, -1).join(', ')} and ${programs.at(-1)} alone, into the directory /target, as root, one volume after the other, in
order:
${sealed ? encryption(keys) : ''}
    sha256sum -c ${SHA256SUMS}
    for archive in ${archives}; do
      ${opened('"$archive"', byHand)} | ${TAR}
    done

Each archive is complete in itself: when one is damaged or missing, the others hold what they hold.
${parity === null ? '' : repair(parity)}
A file bigger than an archive was cut: FILE${SLICE}000001 and so on, one in each archive. When all of them are in
/target, this makes the file of them, with all it had:

    cat FILE${SLICE}* | ${TAR} && rm FILE${SLICE}*

${differential(volume)}${catalog} on the last volume is an SQLite database with each file's place, hash and what went wrong with it, and
the flags (chattr) that tar does not keep:

    ${opened(catalog, 'zstd -d')} > catalog.sqlite
    sqlite3 catalog.sqlite "SELECT path, size, archive FROM members WHERE path GLOB '*passwd*'"
`;
}

const repair = (percent: number) => `
What is damaged or missing of a volume, up to ${percent} %, comes back by par2, in a copy of the volume on a disk:

    par2 repair ${PARITY}
`;

function encryption({ identity }: SetKeys): string {
  const passphrase = `
${IDENTITY} is such a key, too: it asks for the set's passphrase, once when it is unpacked to where nothing is stored:

    age -d ${IDENTITY} > /dev/shm/key; ln -s /dev/shm/key key
`;
  return `
The archives are encrypted by age (https://age-encryption.org). key is the file with the secret key of one of those
they were encrypted for.
${identity ? passphrase : ''}`;
}

/** What else is to be done where a set holds only what changed. */
function differential({ base }: Volume): string {
  if (base === undefined) return '';
  return `This set holds only what changed since the set ${base}. By hand: restore that one first (and before it
the one it was made from, if there is one), then this one over it, then remove what was gone; the catalog tells, unpacked as
shown below:

    sqlite3 catalog.sqlite "SELECT path FROM deleted"

`;
}
