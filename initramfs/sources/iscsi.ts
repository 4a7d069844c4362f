import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, tell } from '../boot.ts';
import { whenThere } from '../late.ts';
import { unmount } from '../mount.ts';
import { busybox, complaint, findProgram, type ProcessResult, run } from '../process.ts';
import { userOf } from './address.ts';
import { mountDevice } from './block-devices.ts';
import { volumeIn } from './files.ts';
import { openFolder } from './folder.ts';
import { type IscsiPlace, parseIscsi } from './iscsi-address.ts';
import { devicesOfTarget, startVolumes } from './iscsi-disks.ts';
import { passwordOf } from './password.ts';
import { CARRIER, LOGGED_IN, leaveSource } from './places.ts';
import { reachServer } from './server.ts';
import { SourceError, type SourceKind } from './source.ts';

const CONFIG = '/run/mindi/iscsid.conf';
const COMPLAINTS = '/run/mindi/iscsid.log';
/** The medium may have that of the machine it was made on, which its targets know. */
const INITIATOR = '/etc/iscsi/initiatorname.iscsi';
const OWN_INITIATOR = '/run/mindi/initiatorname.iscsi';
/** A connection that is lost is made again, so long; then reads end with an error. */
const SETTINGS = [
  'node.startup = manual',
  'node.session.timeo.replacement_timeout = 60',
  'node.conn[0].timeo.login_timeout = 15',
  'node.session.initial_login_retry_max = 2',
];

/** Addresses: parseIscsi. The user's password is CHAP's secret. */
export const iscsi: SourceKind = {
  schemes: ['iscsi'],
  name: 'iSCSI target',
  about: 'a disk of a storage network: iscsi:server::3260:1:iqn.2024-01.lan.example:store',
  async open(address, context) {
    const place = parseIscsi(address);
    const { host, port, target, folder } = place;
    const [iscsid, iscsiadm] = [findProgram('iscsid'), findProgram('iscsiadm')];
    if (!iscsid || !iscsiadm)
      throw new SourceError(
        'iscsid is not on this medium.',
        'Build it with the tool set "iscsi" (tools.sets: [..., iscsi]), or choose another source.',
      );
    await reachServer(context, host, port);
    await leaveSource();
    await startDaemon(context, iscsid, place, await credentials(address, place, context));
    const name = `${target} on ${host}`;
    tell(context, `logging in to ${name}`);
    await logIn(iscsiadm, place, name);
    try {
      const device = await mountDisk(context, place, name);
      const shown = `${folder === '/' ? '' : `${folder} of `}${name}`;
      return await openFolder(context, { path: join(CARRIER, folder), device, name: shown });
    } catch (error) {
      await leaveSource();
      throw error;
    }
  },
};

async function credentials(address: URL, { host }: IscsiPlace, context: Context): Promise<string[]> {
  const { username, password } = address;
  if (!username) return [];
  const secret = await passwordOf({ username, password, host }, context);
  const user = userOf(address);
  // Lines of a configuration are made of them.
  if (/[\r\n]/.test(user + secret))
    throw new SourceError('User or password have more than one line.', 'Check the address.');
  return [
    'node.session.auth.authmethod = CHAP',
    `node.session.auth.username = ${user}`,
    `node.session.auth.password = ${secret}`,
  ];
}

/** It keeps the connection up. Secrets go to it in a file that only root reads, and no further than the RAM. */
async function startDaemon(context: Context, iscsid: string, place: IscsiPlace, login: string[]): Promise<void> {
  await context.modules.loadAll(['iscsi_tcp']);
  for (const folder of ['/run/lock/iscsi', '/run/mindi']) mkdirSync(folder, { recursive: true });
  writeFileSync(CONFIG, [...SETTINGS, ...login, ''].join('\n'), { mode: 0o600 });
  const { initiator } = place;
  if (initiator || !existsSync(INITIATOR))
    writeFileSync(OWN_INITIATOR, `InitiatorName=${initiator ?? 'iqn.2016-04.com.open-iscsi:mindi'}\n`);
  const names = existsSync(OWN_INITIATOR) ? OWN_INITIATOR : INITIATOR;
  await busybox(['killall', 'iscsid']);
  const done = await run(iscsid, ['-c', CONFIG, '-i', names], { complaints: COMPLAINTS });
  if (done.code === 0) return;
  throw new SourceError(
    `iscsid does not start: ${complaint(done)}.`,
    'Choose another source, or look at it in a shell.',
  );
}

async function logIn(iscsiadm: string, { host, port, target }: IscsiPlace, name: string): Promise<void> {
  const portal = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const node = ['-m', 'node', '-T', target, '-p', portal];
  const made = await run(iscsiadm, [...node, '-o', 'new']);
  const done = made.code === 0 ? await run(iscsiadm, [...node, '--login']) : made;
  if (done.code !== 0) throw loginFailure(name, done);
  writeFileSync(LOGGED_IN, target);
}

/** By iscsiadm's exit codes (its manual page). */
const FAILURES: Readonly<Record<number, string>> = {
  8: 'it does not answer',
  19: 'there is no such target, or not for this initiator',
};

function loginFailure(name: string, done: ProcessResult): SourceError {
  if (done.code === 24)
    return new SourceError(
      `${name} refuses the login.`,
      'Check user and password, and that the target lets this initiator in.',
    );
  const what = FAILURES[done.code] ?? complaint(done);
  return new SourceError(
    `${name} cannot be logged in to: ${what}.`,
    'Check the name of the target and what it lets in, then try again.',
  );
}

/** Mounts the disk, or the partition or LVM volume of it, that holds restore data; else its first file system. Returns the device. */
async function mountDisk(context: Context, place: IscsiPlace, name: string): Promise<string> {
  let seen: string[] = [];
  const device = await whenThere(context, {
    what: `the disk of ${name}`,
    look: async () => {
      seen = devicesOfTarget(place.target, place.lun);
      const found = await mountFirst(context, seen);
      if (found || seen.length === 0) return found;
      await startVolumes(context);
      const more = devicesOfTarget(place.target, place.lun).filter((device) => !seen.includes(device));
      seen.push(...more);
      return mountFirst(context, more);
    },
  });
  if (device) return device;
  const lun = place.lun === null ? 'no disk' : `no disk with LUN ${place.lun}`;
  throw seen.length === 0
    ? new SourceError(
        `${name} has ${lun}.`,
        'Check the LUN of the address, and what the target lets this initiator see.',
      )
    : new SourceError(
        `There is no file system that can be read on the disk of ${name} (${seen.join(', ')}).`,
        'Choose another disk or source; `mindi storage` shows what is on it.',
      );
}

async function mountFirst(context: Context, devices: readonly string[]): Promise<string | null> {
  const mountable: string[] = [];
  for (const device of devices) {
    // The guard may not have been here yet.
    await busybox(['blockdev', '--setro', device]);
    if ((await mountDevice(context, device, CARRIER)) !== null) continue;
    if (await volumeIn({ path: CARRIER, device })) return device;
    mountable.push(device);
    await unmount(CARRIER);
  }
  const [first] = mountable;
  return first && (await mountDevice(context, first, CARRIER)) === null ? first : null;
}
