import { join } from 'node:path';
import fs from 'fs-extra';
import type { Bench } from './build.ts';
import { type Built, median, megabytes, mindiBuild, progress, row, timeRow, watchOthers } from './measure.ts';

const RUNS = 3;
/** The media of one profile, from one plan and one pack. */
const SETS = [['iso'], ['usb'], ['iso', 'usb'], ['obdr']];

/** What each medium costs beside the ISO when everything is packed already. */
export async function benchMedia({ work }: Bench): Promise<void> {
  const report = watchOthers();
  console.log('media of standalone, all packed before');
  let iso = Number.NaN;
  for (const media of SETS) {
    const name = media.join('-');
    const profile = join(work, `${name}.yaml`);
    await fs.writeFile(profile, `name: ${name}\nextends: standalone\nmedia: [${media.join(', ')}]\n`);
    progress(`media: ${name}`);
    const builds: Built[] = [];
    for (let turn = 0; turn <= RUNS; turn += 1) builds.push(await mindiBuild(profile, join(work, 'media'), undefined));
    const times = builds.slice(1).map(({ seconds }) => seconds);
    if (name === 'iso') iso = median(times);
    const bytes = builds[0]?.media.map(({ size }) => megabytes(size)).join(' and ');
    const wanted = media.length > 1 ? `; wanted: at most ${(iso + 2).toFixed(2)} s and the writing` : '';
    timeRow(`  ${media.join(', ')}`, times, `${bytes}${wanted}`);
    row('    of that, writing', `${median(builds.slice(1).map(writing)).toFixed(2)} s`);
  }
  report();
}

const writing = ({ steps }: Built) => steps.find(({ name }) => name === 'write')?.seconds ?? Number.NaN;
