import { parseArgs } from 'node:util';
import type { StorageDevice } from '../../contract/storage.ts';
import type { Context } from '../boot.ts';
import { Unanswered } from '../person.ts';
import { bringStorageUp, lookAtStorage } from '../storage/bring-up.ts';
import type { StorageContext } from '../storage/context.ts';
import { GuardError } from '../storage/guard.ts';
import { unlock, unlockedNode } from '../storage/luks.ts';
import { storageTree } from '../storage/tree.ts';
import { makeWritable, warning } from '../storage/writable.ts';
import { commandContext } from './context.ts';
import type { Command } from './index.ts';

/** Disks, arrays, volumes, and the guard on them. */
export const storage: Command = {
  name: 'storage',
  about: 'show disks and what is on them, unlock them, let them be written to',
  run: runStorage,
};

const HELP = `mindi storage                    shows disks, arrays, volumes, file systems and what is locked
  --json                         the same for programs
mindi storage up                 starts arrays and volumes that appeared since
mindi storage unlock DEVICE      unlocks LUKS, and starts what is in it
  --keyfile FILE                 with the key in that file instead of a passphrase
mindi storage writable DEVICE…   lets them be written to: until then every disk is read-only
  --yes                          without asking back
`;

const OPTIONS = {
  json: { type: 'boolean' },
  keyfile: { type: 'string' },
  yes: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>>['values'];

async function runStorage(words: readonly string[]): Promise<number> {
  const { values, positionals } = parse(words);
  const [verb = 'show', ...names] = positionals;
  if (!values || values.help || !fits(verb, names.length)) {
    (values?.help ? process.stdout : process.stderr).write(HELP);
    return values?.help ? 0 : 2;
  }
  const context = commandContext();
  try {
    return await act(context, verb, names, values);
  } catch (error) {
    if (!(error instanceof Unanswered || error instanceof GuardError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    context.modules.rest();
  }
}

/** Whether so many devices go with that. */
function fits(verb: string, devices: number): boolean {
  if (verb === 'show' || verb === 'up') return devices === 0;
  return verb === 'writable' ? devices > 0 : verb === 'unlock' && devices === 1;
}

function parse(words: readonly string[]): { values: Values | null; positionals: string[] } {
  try {
    return parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    process.stderr.write(`mindi storage: ${(error as Error).message}\n`);
    return { values: null, positionals: [] };
  }
}

async function act(context: Context, verb: string, names: readonly string[], values: Values): Promise<number> {
  const storage = storageContext(context);
  if (verb === 'up') await bringStorageUp(storage);
  const { devices, silent } = await lookAtStorage(storage.excluded);
  if (verb === 'show' || verb === 'up') {
    const lines = [...storageTree(devices), ...silent.map((device) => `${device} does not answer`)];
    process.stdout.write(values.json ? `${JSON.stringify({ devices, silent })}\n` : `${lines.join('\n')}\n`);
    return 0;
  }
  const named = names.map((name) => devices.find((one) => one.device === name || `/dev/${one.name}` === name) ?? name);
  let worst = 0;
  for (const device of named) {
    const code =
      typeof device === 'string'
        ? tellAbsent(device)
        : verb === 'unlock'
          ? await unlockDevice(context, storage, device, values.keyfile ?? null)
          : await letWrite(context, storage, device, values.yes === true);
    worst = Math.max(worst, code);
  }
  return worst;
}

function tellAbsent(name: string): number {
  process.stderr.write(`There is no ${name} here; mindi storage shows what there is.\n`);
  return 1;
}

function storageContext({ modules, parameters }: Context): StorageContext {
  return {
    modules,
    excluded: parameters.excludeDevs,
    noLvm: parameters.noLvm,
    problem: (sentence) => void process.stderr.write(`${sentence}\n`),
  };
}

async function unlockDevice(
  context: Context,
  storage: StorageContext,
  device: StorageDevice,
  keyFile: string | null,
): Promise<number> {
  if (device.content?.type !== 'crypto_LUKS') {
    process.stderr.write(`${device.device} is not encrypted with LUKS.\n`);
    return 1;
  }
  const failure = await unlock(storage, device, context.person, keyFile);
  if (failure) {
    process.stderr.write(`${failure}\n`);
    return 1;
  }
  await bringStorageUp(storage);
  process.stdout.write(`${device.device} is open: ${unlockedNode(device)}\n`);
  return 0;
}

async function letWrite(
  context: Context,
  storage: StorageContext,
  device: StorageDevice,
  yes: boolean,
): Promise<number> {
  if (!yes) {
    const choices = [
      { value: 'no', text: 'No, leave it read-only' },
      { value: 'yes', text: 'Yes, let it be written to' },
    ];
    if ((await context.person.choose(await warning(device), choices, 'no')) !== 'yes') return 1;
  }
  const left = await makeWritable(storage, device, 'mindi storage writable');
  process.stdout.write(left ?? `${device.device} can be written to now.\n`);
  return left ? 1 : 0;
}
