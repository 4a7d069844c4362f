import { MindiError } from '../../contract/error.ts';
import { packageFor } from '../doctor/packages.ts';
import { readElf } from './elf.ts';
import { Tree } from './follow.ts';

/** Where distributions put it; a dynamic one at /bin/busybox does not hide a static one elsewhere. */
const PLACES = [
  ...['/bin/busybox', '/usr/bin/busybox', '/sbin/busybox', '/usr/sbin/busybox', '/usr/local/bin/busybox'],
  ...['/bin/busybox.static', '/usr/bin/busybox.static', '/usr/bin/busybox-static', '/usr/lib/initcpio/busybox'],
];

/**
 * The statically linked busybox of the machine, as its path here: process 1 of the medium must not need libraries.
 * @throws MindiError `busybox.missing` or `busybox.dynamic`, naming the package.
 */
export function findBusybox(root = '/'): string {
  const tree = new Tree(root);
  const found = PLACES.flatMap((place) => {
    const file = tree.follow(place);
    return file?.stats.isFile() ? [file.source] : [];
  });
  const fit = found.find(isStatic);
  if (fit) return fit;
  const hint = `Install the package ${packageFor('busybox') ?? 'busybox-static'}.`;
  const [first] = found;
  if (!first) throw new MindiError('busybox is not installed', { code: 'busybox.missing', hint });
  throw new MindiError('this busybox needs shared libraries; the medium needs a static one', {
    code: 'busybox.dynamic',
    where: first,
    hint,
  });
}

function isStatic(path: string): boolean {
  const elf = readElf(path);
  return elf !== undefined && elf.interpreter === undefined && elf.needed.length === 0;
}
