import { lookup } from 'node:dns/promises';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATHS, type SecondStage } from '../contract/rescue-config.ts';
import { parsePublicKey, SIGNATURE_SUFFIX } from '../contract/signature.ts';
import { parseSums, SUMS } from '../contract/sums.ts';
import type { Location } from './address.ts';
import { type Boot, problem, tell } from './boot.ts';
import { memory } from './hardware.ts';
import { get as ask } from './http.ts';
import { log } from './log.ts';
import { unmountMedium } from './medium.ts';
import { busybox, complaint } from './process.ts';
import { take } from './second-stage.ts';

/** How often each place is tried, and the pause between, milliseconds. */
const ROUNDS = 3;
const PAUSE = 3000;
/** Seconds without a byte after which an HTTP server is given up. */
const STALL = 30;
/** Seconds all of it may take by TFTP, whose client gives up by itself when the server falls silent. */
const LONGEST = 3600;
/** Milliseconds after which people are told how far it is, and how often. */
const TELL_EVERY = 5000;
const MIB = 1 << 20;
/** Bytes of RAM that must be left for the system itself. */
const SPARE = 32 * MIB;
/** Beside the second stage and the manifest: signature and lists. */
const ROOM = MIB;
const ADVICE = 'The file on the server is damaged or of another build; copy the whole folder again.';

/** Why a place did not give it; `final` when trying again is no use. */
interface Failure {
  why: string;
  final: boolean;
}
/** A file of the folder to be fetched. */
interface Wanted {
  path: string;
  /** Bytes, where they are known. */
  size?: number;
}
type Fetcher = (place: Location, wanted: Wanted, target: string) => Promise<Failure | null>;

/** Brings the second stage in from the first place that has the right one. The boot goes on without it. */
export async function fetchSecondStage(boot: Boot, stage: SecondStage, places: readonly Location[]): Promise<void> {
  const failures = new Map<Location, Failure>();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const open = places.filter((place) => !failures.get(place)?.final);
    for (const place of open) {
      const failure = await fetchFrom(boot, stage, place);
      if (!failure) return;
      failures.set(place, failure);
      tell(boot, `${place.url}: ${failure.why}`);
    }
    if (places.every((place) => failures.get(place)?.final)) break;
    if (round < ROUNDS) await sleep(PAUSE);
  }
  const reasons = [...failures].map(([{ url }, { why }]) => `${url}: ${why}`);
  problem(boot, `The second stage could not be fetched. ${reasons.join('; ')}.`);
}

async function fetchFrom(boot: Boot, stage: SecondStage, place: Location): Promise<Failure | null> {
  tell(boot, `fetching the second stage from ${place.url}`);
  mkdirSync(PATHS.medium, { recursive: true });
  const inPlace = place.scheme === 'nfs';
  const failure = inPlace ? await mountNfs(boot, place) : await download(boot, stage, place);
  if (failure) return failure;
  const file = join(PATHS.medium, inPlace ? place.file : stage.path);
  if (await take(boot, stage, file, place.url, { advice: ADVICE })) return null;
  await unmountMedium();
  return { why: 'it is not the right one', final: true };
}

/** Into a RAM disk of its own, which bears the URL as its name: it is the medium from then on. */
async function download(boot: Boot, stage: SecondStage, place: Location): Promise<Failure | null> {
  const { available } = memory();
  const needed = stage.size + (boot.config.manifest?.size ?? 0) + ROOM;
  if (available * MIB < needed + SPARE) {
    const why = `it needs ${mebibytes(needed + SPARE)} MiB of free memory, and there are ${available}`;
    return { why, final: true };
  }
  // To be checked as a whole the medium must be here as a whole.
  const size = boot.parameters.check ? available * MIB : needed;
  const room = `size=${size},mode=755,nodev,nosuid`;
  const mounted = await busybox(['mount', '-t', 'tmpfs', '-o', room, place.url, PATHS.medium]);
  if (mounted.code !== 0) return { why: `no room for it: ${complaint(mounted)}`, final: true };
  const stop = tellProgress(boot, stage);
  try {
    const failure = await get(place, { path: place.file, size: stage.size }, stage.path);
    if (failure) await unmountMedium();
    else await getDocuments(boot, place);
    return failure;
  } finally {
    stop();
  }
}

/** What says that the medium is what was built. Without it the boot goes on, and finds out what is missing. */
async function getDocuments({ config, parameters }: Boot, place: Location): Promise<void> {
  const { manifest } = config;
  const key = manifest?.publicKey ? parsePublicKey(manifest.publicKey) : null;
  const wanted: Wanted[] = manifest ? [{ path: PATHS.mediumManifest, size: manifest.size }] : [];
  if (key) wanted.push({ path: `${PATHS.mediumManifest}${SIGNATURE_SUFFIX[key.kind]}` });
  if (parameters.check) wanted.push(...(await everything(place)));
  for (const file of wanted) await get(place, file);
}

/** Every file of the folder that is not here yet, as its list says. */
async function everything(place: Location): Promise<Wanted[]> {
  await get(place, { path: SUMS.list });
  const list = join(PATHS.medium, SUMS.list);
  const { sums } = parseSums(existsSync(list) ? readFileSync(list, 'utf8') : '');
  return sums.filter(({ path }) => !existsSync(join(PATHS.medium, path)));
}

/** Fetches a file to its place on the medium. */
async function get(place: Location, wanted: Wanted, to = wanted.path): Promise<Failure | null> {
  const target = join(PATHS.medium, to);
  mkdirSync(dirname(target), { recursive: true });
  const failure = await (place.scheme === 'tftp' ? byTftp : byHttp)(place, wanted, target);
  if (failure) rmSync(target, { force: true });
  log(`${place.base}${wanted.path}: ${failure?.why ?? 'fetched'}`);
  return failure;
}

/** Looks at how much is there already, now and then. Returns what ends it. */
function tellProgress(boot: Boot, { path, size }: SecondStage): () => void {
  const timer = setInterval(() => {
    const there = statSync(join(PATHS.medium, path), { throwIfNoEntry: false })?.size ?? 0;
    tell(boot, there < size ? `fetched ${mebibytes(there)} of ${mebibytes(size)} MiB` : 'fetching the rest');
  }, TELL_EVERY);
  return () => clearInterval(timer);
}

const mebibytes = (bytes: number) => Math.ceil(bytes / MIB);

const byHttp: Fetcher = async ({ base }, { path, size }, target) => {
  try {
    // Certificates would fail where the clock is wrong or the server is a lab's own.
    const response = await ask(new URL(`${base}${path}`), { stall: STALL, unchecked: true });
    const { statusCode: status = 0, statusMessage = '', headers } = response;
    const length = Number(headers['content-length'] ?? size);
    const right = status === 200 && (size === undefined || length === size);
    if (right) await pipeline(response, createWriteStream(target));
    else response.destroy();
    if (right) return null;
    if (status === 200) return { why: `it has ${length} bytes instead of ${size}`, final: true };
    return { why: `the server says ${status} ${statusMessage}`.trim(), final: status < 500 };
  } catch (error) {
    return { why: (error as Error).message, final: false };
  }
};

const byTftp: Fetcher = async ({ host, port, folder }, { path }, target) => {
  const address = await addressOf(host);
  if (!address) return unknownHost(host);
  const from = ['-r', `${folder}${path}`, address, ...(port ? [port] : [])];
  const result = await busybox(['tftp', '-g', '-b', BLOCK, '-l', target, ...from], { limit: LONGEST });
  return result.code === 0 ? null : { why: complaint(result), final: /not found/i.test(result.stderr) };
};

/** Bytes of a TFTP packet: as much as fits into one of Ethernet (RFC 2348). */
const BLOCK = '1428';

/** Used in place: only what is read comes over the network. */
async function mountNfs(boot: Boot, { host, port, folder }: Location): Promise<Failure | null> {
  const address = await addressOf(host);
  if (!address) return unknownHost(host);
  const source = `${host}:${folder.replace(/(?<=.)\/$/, '')}`;
  const whys: string[] = [];
  for (const [modules, options] of NFS_VERSIONS) {
    await boot.modules.loadAll(modules);
    const all = `ro,nodev,nosuid,proto=tcp,${PATIENCE},addr=${address},${port ? `port=${port},` : ''}${options}`;
    const result = await busybox(['mount', '-i', '-t', 'nfs', '-o', all, source, PATHS.medium], { limit: 90 });
    if (result.code === 0) return null;
    whys.push(complaint(result));
  }
  return { why: [...new Set(whys)].join(', '), final: false };
}

/** A server that is gone for minutes gives errors in the end, and nothing hangs for ever. */
const PATIENCE = 'soft,timeo=150,retrans=4';
const NFS_VERSIONS: readonly [modules: string[], options: string][] = [
  [['nfs', 'nfsv4'], 'vers=4.2'],
  [['nfs', 'nfsv3'], 'vers=3,nolock,mountproto=tcp'],
];

async function addressOf(host: string): Promise<string | null> {
  return lookup(host, 4).then(
    ({ address }) => address,
    () => null,
  );
}

const unknownHost = (host: string): Failure => ({ why: `no name server knows ${host}`, final: false });
