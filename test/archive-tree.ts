import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type ArchiveOptions, type ArchiveResult, archive } from '../archive/archive.ts';
import type { ArchiveSettings } from '../archive/settings.ts';

/** A tree with everything a Linux file system can hold. Root is needed. */
export function makeTree(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const script = `
    set -e
    echo plain > plain; chmod 4755 plain; ln plain hard; ln -s plain sym; ln -s /etc/passwd out; mkfifo fifo
    mknod char c 1 3; mknod block b 7 200
    mkdir sub sub/deep; echo x > sub/deep/file; ln plain sub/hard; mkdir -m 0 closed; mkdir -m 2775 shared
    printf 'a\\0b\\nc=\\377' | od -An -tx1 | tr -d ' \\n' > hex
    setfattr -n user.bytes -v 0x$(cat hex) plain; setfattr -n trusted.t -v y sub
    setfacl -m u:1234:rx,g:55:r plain; setfacl -m d:u:77:rwx sub
    echo caps > caps; setcap cap_net_raw+ep caps
    touch "$(printf 'new\\nline')" "$(printf 'bad\\377\\376')" 'back\\slash' ' blank ' ./-dash 'star*?[x]' "$(printf 'tab\\t')" ümlaut
    ln -s "$(printf 'bad\\377target')" "$(printf 'link\\377')"
    truncate -s 30M holes; printf end | dd of=holes bs=1 seek=20M conv=notrunc status=none; truncate -s 5M all-hole
    touch -d '2100-01-01 00:00:00.123456789' future; touch -d @1.000000001 first-second; touch -d '1960-01-02 03:04:05' old
    chown 3000000000:3000000000 old
    long=$(printf 'x%.0s' $(seq 250)); mkdir -p $long/$long; echo long > $long/$long/$long
    head -c 5000000 /dev/urandom > random; seq 400000 > numbers
  `;
  execFileSync('bash', ['-c', script], { cwd: folder });
}

/** Differences between two trees, by rsync and by mtree, which know nothing of mindi. */
export function treeDifferences(one: string, other: string): string {
  const options = ['-naHAXci', '--delete', '--numeric-ids', `${one}/`, `${other}/`];
  const rsync = execFileSync('rsync', options, { maxBuffer: MOST }).toString('latin1');
  const [was, is] = [specification(one), specification(other)];
  const lines = [...was.filter((line) => !is.includes(line)), ...is.filter((line) => !was.includes(line))];
  return rsync + lines.join('\n');
}

const MOST = 1 << 26;

/** Two of these are compared as text: mtree itself cannot read back some names it writes. */
function specification(folder: string): string[] {
  const keys = 'flags,gid,uid,link,mode,nlink,size,time,type,device';
  const text = execFileSync('mtree', ['-c', '-k', keys, '-p', folder], { maxBuffer: MOST }).toString('latin1');
  return text.split('\n').filter((line) => !/^#\s+(user|machine|tree|date):/.test(line));
}

export const SETTINGS: Omit<ArchiveSettings, 'include' | 'to'> = {
  name: 'tree',
  exclude: [],
  excludeTagged: [],
  excludeLargerThan: null,
  excludeOlderThan: null,
  filesystems: 'local',
  scratch: '/var/tmp',
  volume: null,
  verify: false,
  method: 'zstd',
  level: 3,
  encryption: null,
  parity: null,
};

/** Archives a tree into a set below `directory`. */
export function archiveTree(
  tree: string,
  directory: string,
  more: Partial<ArchiveSettings> = {},
  options: ArchiveOptions = {},
): Promise<ArchiveResult> {
  const silent = { step: () => {}, progress: () => {}, note: () => {} };
  return archive({ ...SETTINGS, include: [tree], to: { directory }, ...more }, silent, options);
}
