import { CATALOG, type MethodName, SHA256SUMS, SLICE } from '../contract/archive-set.ts';
import type { Volume } from '../contract/volume.ts';
import { METHODS } from './compression.ts';

/** What stands on each volume for whoever has nothing but it, tar and the unpacker. */
export function readmeText(volume: Volume, method: MethodName): string {
  const { byHand, suffix } = METHODS[method];
  const archives = `[0-9]*.tar${suffix}`;
  return `Files of ${volume.machine}, archived ${volume.created}: volume ${volume.number}${volume.of === null ? '' : ` of ${volume.of}`} of the set
${volume.set}.

With mindi:

    mindi list SET; mindi verify SET; mindi extract SET [PATH...] --to DIR      SET: the directory with the volumes

By hand, with tar and ${byHand.split(' ')[0]} alone, into the directory /target, as root, one volume after the other, in
order:

    sha256sum -c ${SHA256SUMS}
    for archive in ${archives}; do
      ${byHand} < "$archive" | tar -x -p --numeric-owner --xattrs --xattrs-include='*' --acls -C /target
    done

Each archive is complete in itself: when one is damaged or missing, the others hold what they hold.

A file bigger than an archive was cut: FILE${SLICE}000001 and so on, one in each archive. When all of them are in
/target, this makes the file of them, with all it had:

    cat FILE${SLICE}* | tar -x -p --numeric-owner --xattrs --xattrs-include='*' --acls -C /target && rm FILE${SLICE}*

${CATALOG} on the last volume is an SQLite database with each file's place, hash and what went wrong with it, and
the flags (chattr) that tar does not keep:

    zstd -d < ${CATALOG} > catalog.sqlite
    sqlite3 catalog.sqlite "SELECT path, size, archive FROM members WHERE path GLOB '*passwd*'"
`;
}
