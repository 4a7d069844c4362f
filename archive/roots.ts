import { isBind, type Mount } from '../contract/mounts.ts';
import type { ArchiveSettings } from './settings.ts';

/** Where the walk begins and what it does not enter. */
export interface Roots {
  starts: string[];
  /** Shown, not entered: what they show lies elsewhere. */
  binds: string[];
  /** Mount points of what is made up by the kernel: nobody misses that. */
  pseudo: string[];
}

/** File systems whose files are not stored anywhere, or are stored in files of another one. proc(5), filesystems(5). */
const PSEUDO = new Set(
  `autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs overlay
   proc pstore ramfs rpc_pipefs securityfs selinuxfs squashfs sysfs tmpfs tracefs`.split(/\s+/),
);
const NETWORK = /^(nfs4?|cifs|smb3|smbfs|ncpfs|coda|afs|9p|ceph|glusterfs|lustre|ocfs2|gfs2|fuse\..+)$/;

/**
 * Of what is mounted below the included paths, the chosen file systems are walked as well. A path that is included by
 * name is walked whatever it lies on.
 */
export function chooseRoots(
  { include, filesystems }: Pick<ArchiveSettings, 'include' | 'filesystems'>,
  mounts: readonly Mount[],
): Roots {
  const roots: Roots = { starts: [...include], binds: [], pseudo: [] };
  for (const mount of mounts) {
    if (include.includes(mount.target) || !include.some((path) => isBelow(mount.target, path))) continue;
    if (PSEUDO.has(mount.format)) roots.pseudo.push(mount.target);
    else if (isBind(mount)) roots.binds.push(mount.target);
    else if (isChosen(mount, filesystems)) roots.starts.push(mount.target);
  }
  return { ...roots, starts: [...new Set(roots.starts)] };
}

function isChosen({ format }: Mount, filesystems: ArchiveSettings['filesystems']): boolean {
  return filesystems === 'all' || (filesystems === 'local' && !NETWORK.test(format));
}

export const isBelow = (path: string, folder: string) =>
  path.startsWith(folder.endsWith('/') ? folder : `${folder}/`) && path !== folder;
