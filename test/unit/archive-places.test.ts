import { mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCredentials } from '../../archive/places/credentials.ts';
import { nfs } from '../../archive/places/nfs.ts';
import { openPlace, placeAddress } from '../../archive/places/place.ts';
import { smb } from '../../archive/places/smb.ts';
import { sshfs } from '../../archive/places/sshfs.ts';
import { isoTree } from '../../archive/sources/iso9660.ts';
import { sourceOnMedium } from '../../archive/targets/on-medium.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const work = temporaryFolder('places');
const credentials = join(work, 'credentials');
writeFileSync(credentials, 'username = anna\npassword=x,y z\n', { mode: 0o600 });
const mount = { folder: '/mnt', readOnly: false, credentials: undefined };

describe('servers', () => {
  test('NFS: version 4, then 3; a server that is gone ends a write with an error', async () => {
    expect(placeAddress('server:/my bkp')?.href).toBe('nfs://server/my%20bkp');
    const [four, three] = await nfs.ways(placeAddress('server:/my bkp') as URL, mount);
    expect(four?.args.slice(0, 2)).toEqual(['server:/my bkp', '/mnt']);
    expect(four?.args[3]).toMatch(/^vers=4,proto=tcp,soft,timeo=100,retrans=3,.*,nosuid,nodev,rw$/);
    expect(three?.args[3]).toMatch(/^vers=3,nolock,/);
    const [only, ...more] = await nfs.ways(new URL('nfs://s:2050/b?vers=3'), { ...mount, readOnly: true });
    expect([only?.args[3], more]).toEqual([expect.stringMatching(/^vers=3,.*port=2050,ro$/), []]);
  });

  test('SMB and SSH: the password is no argument', async () => {
    const [share] = await smb.ways(new URL('smb://server/share/web'), { ...mount, credentials });
    expect(share?.args.slice(0, 2)).toEqual(['//server/share/web', '/mnt']);
    expect(share?.args[3]).toContain(`credentials=${credentials}`);
    const [guest] = await smb.ways(new URL('cifs://server/share'), mount);
    expect(guest?.args[3]).toMatch(/,guest,/);
    const [ssh] = await sshfs.ways(new URL('sshfs://server:2222/srv/web'), { ...mount, credentials });
    expect(ssh).toMatchObject({ program: 'sshfs', input: 'x,y z\n' });
    expect(ssh?.args.slice(-3)).toEqual(['--', 'anna@server:/srv/web', '/mnt']);
    const [home] = await sshfs.ways(new URL('sftp://me@server/~/web'), mount);
    expect(home?.args).toContain('BatchMode=yes');
    expect(home?.args.at(-2)).toBe('me@server:web');
    for (const way of [share, ssh]) expect(way?.args.join(' ')).not.toContain('x,y z');
  });

  test('one that does not answer is a sentence, and leaves nothing mounted', async () => {
    mkdirSync(join(work, 'bin'));
    const path = process.env.PATH;
    writeFileSync(join(work, 'bin/mount.nfs'), '#!/bin/sh\necho "mount.nfs: Connection refused" >&2\nexit 32\n', {
      mode: 0o755,
    });
    process.env.PATH = `${work}/bin:${path}`;
    try {
      const opening = openPlace('nfs://127.0.0.1:1/bkp', undefined, join(work, 'scratch'));
      await expect(opening).rejects.toMatchObject({
        code: 'place.mount',
        message: expect.stringContaining('refused'),
        exitCode: 1,
      });
    } finally {
      process.env.PATH = path;
    }
  });

  test('a file of credentials: as mount.cifs has it, as the AWS tools have it', async () => {
    expect(await readCredentials(credentials)).toEqual({ username: 'anna', password: 'x,y z' });
    const aws = join(work, 'aws');
    const keys = (id: string) => `aws_access_key_id = ${id}\naws_secret_access_key = ${id}${id}\n`;
    writeFileSync(aws, `[other]\n${keys('b')}\n[default]\n${keys('a')}`, { mode: 0o600 });
    expect(await readCredentials(aws)).toEqual({ username: 'a', password: 'aa' });
    await expect(readCredentials(join(work, 'none'))).rejects.toMatchObject({ code: 'archive.credentials' });
  });
});

test('what a profile says of targets, wrong ones at their lines', async () => {
  const file = join(work, 'wrong.yaml');
  const wrong = async (to: string) => {
    writeFileSync(file, `name: x\narchive:\n  to: ${to}\n`);
    return loadProfile(file).then(
      () => 'fine',
      (error: Error) => error.message,
    );
  };
  expect(await wrong('{ url: "ftp://server/x" }')).toMatch('no address mindi can write to');
  expect(await wrong('{ iso: "https://server/x" }')).toMatch('no address mindi can write to');
  expect(await wrong('{ url: "https://me:secret@server/x" }')).toMatch('has a password in it');
  expect(await wrong('{ tape: /dev/nst0, blockSize: 1000 }')).toMatch('no size of a tape record');
  for (const to of ['{ url: "server:/x" }', '{ iso: sets }', '{ url: "s3://b/x" }', '{ usb: /dev/sdb, serial: [A] }'])
    expect(await wrong(to)).toBe('fine');
});

test.each([
  [{ burner: '/dev/sr0' }, 'cd:'],
  [{ usb: '/dev/sdb' }, 'usb:'],
  [{ tape: '/dev/nst0' }, 'tape:'],
  [{ iso: 'server:/writer/nfs' }, 'nfs://server/writer/nfs'],
  [{ url: 'sshfs://me@server/srv' }, 'sftp://me@server/srv'],
  [{ url: 's3+https://server/bucket/web' }, 's3+https://server/bucket/web'],
])('the medium finds %j', (to, address) => {
  expect(sourceOnMedium(to)).toBe(address);
});

test('any bytes are an ISO with files, or none', async () => {
  const path = join(work, 'any');
  const head = Buffer.alloc(17 * 2048);
  head.write('\x01CD001', 16 * 2048, 'latin1');
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 6000 }),
      fc.uint8Array({ minLength: 34, maxLength: 34 }),
      async (rest, root) => {
        const image = Buffer.concat([head, rest]);
        Buffer.from(root).copy(image, 16 * 2048 + 156);
        image.writeUInt32LE(17, 16 * 2048 + 158);
        image.writeUInt32LE(rest.length, 16 * 2048 + 166);
        writeFileSync(path, image);
        const file = await open(path);
        try {
          const tree = await isoTree(file);
          for (const name of tree?.keys() ?? []) expect(name.split('/')).not.toContain('..');
        } finally {
          await file.close();
        }
      },
    ),
    { numRuns: 60 },
  );
});
