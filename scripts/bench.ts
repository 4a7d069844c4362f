import { scratch } from '../builder/scratch.ts';
import { MindiError } from '../contract/error.ts';
import { benchArchive } from './bench/archive.ts';
import { benchBoot } from './bench/boot.ts';
import { type Bench, benchBuild, benchSize, benchWarm, newBench } from './bench/build.ts';
import { benchDrivers } from './bench/drivers.ts';
import { machine } from './bench/measure.ts';
import { benchMedia } from './bench/media.ts';
import { benchPeers } from './bench/peers.ts';
import { benchSource } from './bench/source.ts';
import { benchWrite } from './bench/write.ts';

/**
 * What mindi costs, beside a floor and its peers measured in the same run: ratios are what counts, the times are this
 * machine's. Figures on stdout, progress on stderr. `npm run bench -- build size` runs those parts only.
 */
const PARTS: Record<string, (bench: Bench) => Promise<void>> = {
  build: benchBuild,
  warm: benchWarm,
  peers: benchPeers,
  size: benchSize,
  media: benchMedia,
  write: benchWrite,
  boot: benchBoot,
  source: benchSource,
  drivers: benchDrivers,
  archive: benchArchive,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  console.error(`bench: there is no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}

await using work = await scratch('bench');
const bench = newBench(work.path);
console.log(machine());
try {
  for (const [name, part] of Object.entries(PARTS)) if (asked.length === 0 || asked.includes(name)) await part(bench);
} catch (error) {
  if (!(error instanceof MindiError)) throw error;
  console.error(`bench: ${error.format()}`);
  process.exitCode = error.exitCode;
}
