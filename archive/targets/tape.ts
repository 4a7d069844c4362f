import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { obdrTape } from '../../boot/obdr.ts';
import { parseSize } from '../../builder/profile/size.ts';
import { SHA256SUMS } from '../../contract/archive-set.ts';
import { MindiError } from '../../contract/error.ts';
import { parseSums } from '../../contract/sums.ts';
import { encodeLabel, TAPE, type TapeData } from '../../contract/tape.ts';
import { VOLUME_FILE, type Volume } from '../../contract/volume.ts';
import { checkAgain } from '../sources/source.ts';
import { labelOf, tapeVolume } from '../sources/tape.ts';
import { openDrive, type TapeDrive } from '../tape/drive.ts';
import { TarRecords } from '../tape/records.ts';
import { type BootMedium, bootMedium } from './boot-medium.ts';
import { nextMedium } from './next-medium.ts';
import { scratchFolder } from './scratch.ts';
import type { Target, TargetContext, VolumeFile } from './target.ts';

/** Bytes of a record, where the profile does not say. */
const RECORD = '64KiB';
/** Archives last written stay in scratch: a drive that fails may have lost them out of its memory. */
const KEPT = 2;
/** Bytes of the labels. */
const LABELS = 64 << 10;

type To = { tape: string; obdr?: boolean; blockSize?: string | number; eject?: boolean };

/**
 * Each volume is a tape, as contract/tape.ts has it: one tar archive of its files, behind a filemark another one with
 * the catalog and the sums. Archives are written as they come; where a tape ends, or breaks, the next one goes on.
 */
export async function tapeTarget(to: To, context: TargetContext, drive = openDrive(to.tape)): Promise<Target> {
  const scratch = await scratchFolder(context);
  const boot =
    to.obdr === false ? null : await bootMedium(context, { medium: 'obdr', image: 'iso' }, 'tape:', scratch.work);
  const writer = new TapeWriter(drive, { to, context, boot, work: scratch.work });
  return {
    ...scratch,
    set: drive.name,
    own: { mine: [scratch.work], others: [] },
    staged: true,
    overhead: (number) => (number === 1 && boot ? boot.size : 0) + LABELS,
    begin: (volume) => writer.begin(volume),
    place: (file) => writer.place(file),
    seal: (volume, texts) => writer.seal(volume, texts),
    async finish() {
      await drive.rewind();
      if (to.eject) await drive.offline();
      await scratch.remove();
    },
    [Symbol.asyncDispose]: () => drive.close().catch(() => {}),
  };
}

interface Writing {
  to: To;
  context: TargetContext;
  boot: BootMedium | null;
  work: string;
}

class TapeWriter {
  readonly #drive: TapeDrive;
  readonly #writing: Writing;
  readonly #record: number;
  #tar: TarRecords;
  /** Behind the archives: the catalog and what tells about the volume. */
  #trailing = false;
  /** The tape takes no more. */
  #full = false;
  #kept: VolumeFile[] = [];

  constructor(drive: TapeDrive, writing: Writing) {
    this.#drive = drive;
    this.#writing = writing;
    this.#record = parseSize(String(writing.to.blockSize ?? RECORD)) as number;
    this.#tar = new TarRecords(drive, this.#record);
  }

  async begin(volume: Volume): Promise<void> {
    const { context, boot } = this.#writing;
    const { number, set } = volume;
    const problem = async () => (await this.#drive.problem(true)) ?? (await this.#sameSet(set));
    await nextMedium(context, { thing: 'tape', number, drive: this.#drive.name, problem }, number === 1);
    await this.#drive.rewind();
    this.#trailing = false;
    this.#full = false;
    for (const { path } of this.#kept.splice(0)) await rm(path, { force: true });
    const data: TapeData = { format: 'tar', record: this.#record, volume };
    const labelled = number === 1 && boot ? await this.#image(boot, data) : await this.#plain(volume, data);
    this.#tar = new TarRecords(this.#drive, this.#record);
    if (!labelled || !(await this.#tar.file(VOLUME_FILE, Buffer.from(JSON.stringify(volume)))))
      throw tooShort(this.#drive);
  }

  /** A tape of this very set must not be written over. */
  async #sameSet(set: string): Promise<string | null> {
    const volume = (await labelOf(this.#drive).catch(() => null))?.data?.volume;
    return volume?.set === set ? `this is tape ${volume.number} of this set` : null;
  }

  async #plain(volume: Volume, data: TapeData): Promise<boolean> {
    const epoch = Math.floor(Date.parse(volume.created) / 1000);
    const name = this.#writing.context.settings.name.slice(0, 32);
    const label = encodeLabel({ format: 1, name, epoch, image: null, data }, TAPE.label);
    const written = await this.#drive.write([Buffer.from(label)]);
    await this.#drive.mark();
    return written === 1;
  }

  /** The image machines start from, and behind it the label. */
  async #image(boot: BootMedium, data: TapeData): Promise<boolean> {
    const { work, context } = this.#writing;
    const folder = join(work, 'image');
    await mkdir(folder, { recursive: true });
    const iso = join(folder, 'boot.iso');
    try {
      await boot.make({}, iso);
      // Firmware reads the image as it is.
      await this.#drive.compression(false, context.note);
      return await this.#objects(await obdrTape(iso, undefined, data));
    } finally {
      await this.#drive.compression(true, context.note);
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #objects(objects: Iterable<Buffer | null>): Promise<boolean> {
    let batch: Buffer[] = [];
    for (const object of objects) {
      if (object) batch.push(object);
      if (object && batch.length < IMAGE_BATCH) continue;
      if (batch.length > 0 && (await this.#drive.write(batch)) < batch.length) return false;
      batch = [];
      if (object === null) await this.#drive.mark();
    }
    return true;
  }

  async place(file: VolumeFile): Promise<VolumeFile[]> {
    const { note } = this.#writing.context;
    try {
      if (!/^\d/.test(file.name)) await this.#trail();
      if (await this.#tar.file(file.name, file)) return await this.#keep(file);
      this.#full = true;
      return [file];
    } catch (error) {
      if (!(error instanceof MindiError) || error.code === 'tool.missing') throw error;
      note(`${this.#drive.name}: ${error.message}; what was written last goes onto the next tape again`);
      this.#full = true;
      const again = [...this.#kept, file];
      this.#kept = [];
      return again;
    }
  }

  async #keep(file: VolumeFile): Promise<VolumeFile[]> {
    this.#kept.push(file);
    for (const { path } of this.#kept.splice(0, this.#kept.length - KEPT)) await rm(path, { force: true });
    return [];
  }

  /** Ends the archives, and begins what follows. */
  async #trail(): Promise<void> {
    if (this.#trailing) return;
    await this.#tar.finish();
    this.#trailing = true;
    this.#tar = new TarRecords(this.#drive, this.#record);
  }

  /** A tape that has come to its end has room for a little more; where it has not, the catalog has all sums. */
  async seal(volume: Volume, texts: ReadonlyMap<string, string | Buffer>): Promise<void> {
    const { context } = this.#writing;
    try {
      await (this.#full ? this.#drive.mark() : this.#trail());
      this.#tar = this.#full ? new TarRecords(this.#drive, this.#record) : this.#tar;
      for (const [name, text] of texts) await this.#tar.file(name, Buffer.from(text));
      await this.#tar.finish();
    } catch (error) {
      if (!this.#full || !(error instanceof MindiError)) throw error;
      context.note(`${this.#drive.name}: tape ${volume.number} has no list of sums: ${error.message}`);
    }
    const name = `tape ${volume.number} in ${this.#drive.name}`;
    if (context.settings.verify) await this.#compare(volume, texts, name);
    // The next one is asked for.
    if (volume.of === null) await this.#drive.offline().catch((error: Error) => context.note(error.message));
  }

  /** A tape that has come to its end may have no sums on it: they are known here. */
  async #compare(volume: Volume, texts: ReadonlyMap<string, string | Buffer>, name: string): Promise<void> {
    const source = await tapeVolume(this.#drive);
    const { sums } = parseSums(String(texts.get(SHA256SUMS)));
    const written = this.#full ? sums.filter(({ path }) => !texts.has(path)) : sums;
    await checkAgain(source && { ...source, sums: written }, volume, name);
  }
}

/** Records of 2,048 bytes a drive is given at once. */
const IMAGE_BATCH = 512;

const tooShort = ({ name }: TapeDrive) =>
  new MindiError('the tape ends before the first archive', {
    code: 'tape.full',
    where: name,
    hint: 'Take a longer tape.',
    exitCode: 1,
  });
