import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PATHS, type SecondStage } from '../contract/rescue-config.ts';
import { type Boot, problem, tell } from './boot.ts';
import { forgetDevices } from './coldplug.ts';
import { type Candidate, candidates, look, mediumSource, unmountMedium, verify } from './medium.ts';
import { mountedAt } from './mount.ts';
import { busybox, complaint } from './process.ts';
import { type RamCopy, ramCopy } from './ram-copy.ts';
import { checkTrust } from './trust.ts';

/** Seconds after which people are told how far the check has come, and how often. */
const TELL_EVERY = 2000;

/** Candidates that were looked at already; a drive with another disc is a new one. */
const lookedAt = new Set<string>();

/** Where the second stage came from when it is in place already, because the init was started again; else null. */
export function placedBefore(stage: SecondStage): string | null {
  if (!mountedAt(PATHS.stage2Mount)) return null;
  if (stage.where === 'initrd') return 'initrd';
  return mountedAt(PATHS.ram) ? 'ram' : mediumSource();
}

/** Looks at every block device not seen before and takes the second stage from the first that has it. */
export async function tryMedium(boot: Boot, stage: SecondStage): Promise<void> {
  for (const candidate of candidates()) {
    if (boot.medium !== null) return;
    if (lookedAt.has(candidate.key)) continue;
    lookedAt.add(candidate.key);
    await tryCandidate(boot, stage, candidate);
  }
}

async function tryCandidate(boot: Boot, stage: SecondStage, { device }: Candidate): Promise<void> {
  const looked = await look(device, stage, boot.modules, boot.parameters.iso);
  if (!looked.found) {
    if (looked.problem) problem(boot, looked.problem);
    return;
  }
  const { from } = looked;
  tell(boot, `found the medium: ${from}`);
  const file = join(PATHS.medium, stage.path);
  const copy = boot.parameters.toRam ? await startCopy(boot, stage) : null;
  if (!(await take(boot, stage, file, from, { copy }))) return unmountMedium();
  await checkTrust(boot);
  if (boot.medium === 'ram') await leaveMedium(boot, from);
  else if (copy) stays(boot, 'the memory was full midway');
}

/** Room in RAM for the second stage; without it the boot goes on from the medium. */
async function startCopy(boot: Boot, stage: SecondStage): Promise<RamCopy | null> {
  const copy = await ramCopy(stage);
  if (typeof copy !== 'string') return copy;
  stays(boot, copy);
  return null;
}

function stays(boot: Boot, why: string): void {
  problem(boot, `The second stage is not copied to RAM: ${why}. The medium must stay where it is.`);
}

/** Everything is in RAM: nothing holds the medium any more. */
async function leaveMedium(boot: Boot, device: string): Promise<void> {
  await unmountMedium();
  tell(boot, `the second stage is in RAM: the medium in ${device} can be taken out now`);
}

/** The second stage of a profile that folds it into the initrd. */
export async function takeFromInitrd(boot: Boot, stage: SecondStage): Promise<void> {
  await take(boot, stage, PATHS.stage2Image, 'initrd');
}

interface TakeOptions {
  /** Where it is copied to while it is read, and used from then. */
  copy?: RamCopy | null;
  /** What to do when it is not the right one. */
  advice?: string;
}

const WRITE_AGAIN = 'The medium or its drive is damaged; write it again.';

/** Checks the second stage in `file` and puts it over /usr. What is wrong with it becomes a problem. */
export async function take(
  boot: Boot,
  stage: SecondStage,
  file: string,
  from: string,
  { copy = null, advice = WRITE_AGAIN }: TakeOptions = {},
): Promise<boolean> {
  const wrong = existsSync(file) ? await verify(file, stage, progress(boot), copy?.write) : 'it is not there';
  const inRam = (await copy?.finish()) ?? null;
  if (wrong) {
    if (inRam) await copy?.discard();
    problem(boot, `The second stage on ${from} is not used: ${wrong}. ${advice}`);
    return false;
  }
  const failure = await mountStage(boot, inRam ?? file);
  if (failure) {
    if (inRam) await copy?.discard();
    problem(boot, `The second stage on ${from} is right, but ${failure}.`);
    return false;
  }
  boot.medium = inRam ? 'ram' : from;
  placeOtherFolders();
  boot.modules.reload();
  forgetDevices(boot);
  return true;
}

/** Puts it over /usr. Nothing of it is ever written. */
async function mountStage(boot: Boot, file: string): Promise<string | null> {
  await boot.modules.loadAll(['loop', 'squashfs', 'overlay']);
  mkdirSync(PATHS.stage2Mount, { recursive: true });
  const squashfs = await busybox(['mount', '-t', 'squashfs', '-o', 'ro,loop,nodev', file, PATHS.stage2Mount]);
  if (squashfs.code !== 0) return `it cannot be mounted: ${complaint(squashfs)}`;
  const layers = `ro,lowerdir=${PATHS.stage2Mount}/usr:/usr`;
  const overlay = await busybox(['mount', '-t', 'overlay', '-o', layers, 'overlay', '/usr']);
  if (overlay.code === 0) return null;
  await busybox(['umount', PATHS.stage2Mount]);
  return `it cannot be put over /usr: ${complaint(overlay)}`;
}

/**
 * What lies outside of /usr: folders like /opt, which may be big, are links into the second stage, what the initrd has,
 * too, is copied. What is there stays: it is newer than the second stage.
 */
function placeOtherFolders(): void {
  for (const name of readdirSync(PATHS.stage2Mount)) {
    const [from, to] = [join(PATHS.stage2Mount, name), join('/', name)];
    if (name === 'usr') continue;
    if (existsSync(to)) cpSync(from, to, { recursive: true, force: false, verbatimSymlinks: true });
    else symlinkSync(from, to);
  }
}

function progress(boot: Boot): (part: number) => void {
  let last = performance.now();
  return (part) => {
    if (performance.now() - last < TELL_EVERY) return;
    last = performance.now();
    tell(boot, `checking the second stage: ${Math.floor(part * 100)} %`);
  };
}
