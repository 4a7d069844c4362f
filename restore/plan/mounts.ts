import type { Layout } from '../../contract/layout/schema.ts';
import { type Step, TARGET } from './step.ts';

/** Mounts the new file systems where the data go, what holds others first, and makes swap files. */
export function mountSteps(layout: Layout, node: (id: string) => string): Step[] {
  const mounts = Object.entries(layout.filesystems).flatMap(([id, { type, mounts: all = [] }]) =>
    all.map((mount) => ({ id, type, ...mount })),
  );
  mounts.sort((one, other) => depth(one.at) - depth(other.at));
  const steps = mounts.flatMap(({ id, type, at, subvolume }): Step[] => {
    const place = placeOf(at);
    const options = subvolume === undefined ? [] : ['-o', `subvol=${subvolume}`];
    return [
      { kind: 'mount', device: id, argv: ['mkdir', '-p', place] },
      {
        ...{ kind: 'mount', device: id, argv: ['mount', '-t', type, ...options, node(id), place] },
        ...{ holds: { mount: place }, undo: ['umount', place] },
      },
    ];
  });
  return [...steps, ...swapFileSteps(layout)];
}

const depth = (path: string) => path.split('/').filter(Boolean).length;
const placeOf = (path: string) => (path === '/' ? TARGET : `${TARGET}${path}`);

function swapFileSteps(layout: Layout): Step[] {
  return Object.entries(layout.swapFiles).flatMap(([path, { size }]): Step[] => {
    const file = placeOf(path);
    const step = (...argv: string[]): Step => ({ kind: 'swapfile', device: path, argv });
    const below = filesystemBelow(layout, path);
    return [
      step('mkdir', '-p', file.slice(0, file.lastIndexOf('/'))),
      step('truncate', '-s', '0', file),
      // A file that is copied on write cannot be swapped to.
      ...(below === 'btrfs' ? [step('chattr', '+C', file)] : []),
      step('fallocate', '-l', String(size), file),
      step('chmod', '600', file),
      step('mkswap', file),
    ];
  });
}

/** Type of the file system a path is on. */
function filesystemBelow(layout: Layout, path: string): string | undefined {
  const all = Object.values(layout.filesystems).flatMap(({ type, mounts = [] }) =>
    mounts.map(({ at }) => ({ type, at })),
  );
  const holding = all.filter(({ at }) => path.startsWith(at.replace(/\/?$/, '/')));
  return holding.sort((one, other) => other.at.length - one.at.length)[0]?.type;
}
