import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fs from 'fs-extra';
import type { Bench } from './build.ts';
import {
  type Built,
  median,
  megabytes,
  mindiBuild,
  progress,
  repeated,
  row,
  timed,
  timeRow,
  watchOthers,
} from './measure.ts';

const RUNS = 3;
const ALL = ['iso', 'usb', 'obdr', 'netboot'];
/** The media of one profile, from one plan and one pack. */
const SETS = [...ALL.map((medium) => [medium]), ALL];
/** Seconds that three more media may take beside the ISO's time and the writing of their bytes. */
const ALLOWED = 2;

/** What each medium, and all four at once, cost beside the ISO when everything is packed already. */
export async function benchMedia({ work }: Bench): Promise<void> {
  const report = watchOthers();
  console.log('media of standalone, all packed before');
  let iso = Number.NaN;
  for (const media of SETS) {
    const name = media.join('-');
    const out = join(work, 'media', name);
    const profile = join(work, `${name}.yaml`);
    await fs.writeFile(profile, `name: ${name}\nextends: standalone\nmedia: [${media.join(', ')}]\n`);
    progress(`media: ${name}`);
    const builds: Built[] = [];
    for (let turn = 0; turn <= RUNS; turn += 1) builds.push(await mindiBuild(profile, out, undefined));
    const times = builds.slice(1).map(({ seconds }) => seconds);
    if (name === 'iso') iso = median(times);
    timeRow(`  ${media.join(', ')}`, times, builds[0]?.media.map(({ size }) => megabytes(size)).join(', '));
    for (const step of ['write', 'hash'] as const)
      row(`    of that, ${step}`, `${median(builds.slice(1).map((build) => secondsOf(build, step))).toFixed(2)} s`);
    if (media === ALL) await compareWithDd(out, median(times), iso);
  }
  report();
}

const secondsOf = ({ steps }: Built, step: string) => steps.find(({ name }) => name === step)?.seconds ?? Number.NaN;

/** dd writes the same bytes, holes as holes, to the same file system. */
async function compareWithDd(out: string, all: number, iso: number): Promise<void> {
  const entries = await readdir(out, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const copy = join(out, '../copy');
  const times = await repeated(RUNS, async () => {
    let seconds = 0;
    for (const file of files) {
      await fs.remove(copy);
      seconds += await timed('dd', [`if=${file}`, `of=${copy}`, 'bs=1M', 'conv=sparse', 'status=none']);
    }
    return seconds;
  });
  const wanted = iso + ALLOWED + median(times);
  timeRow('    dd of the same bytes', times);
  row('    wanted: the ISO, 2 s and dd', `${wanted.toFixed(2)} s`, `${(all / wanted).toFixed(2)} of that were needed`);
}
