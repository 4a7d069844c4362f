import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Facts, Machine, Said } from '../capture/machine.ts';
import { MindiError, messageOf } from '../contract/error.ts';
import { run } from './run.ts';

/** Any exit code is an answer. */
const ANY = Array.from({ length: 256 }, (_, code) => code);

/** This machine, to be asked for its disks. */
export const thisMachine: Machine = {
  async run(program, args): Promise<Said> {
    try {
      const env = { LVM_SUPPRESS_FD_WARNINGS: '1' };
      const { exitCode, stdout, stderr } = await run(program, args, { accept: ANY, timeout: 60_000, env });
      return { code: exitCode, stdout, stderr };
    } catch (error) {
      if (!(error instanceof MindiError)) throw error;
      return { code: error.code === 'tool.missing' ? 127 : 124, stdout: '', stderr: error.message };
    }
  },
  read: (path) => readFile(path, 'utf8').catch(() => null),
};

/** Whether a program is in PATH or where root has its own. */
export function hasProgram(name: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'].filter(Boolean);
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** Reads what programs said on another machine. */
export async function readFacts(file: string): Promise<Facts> {
  const hint = '`mindi layout --facts` of the rescue system writes such a file.';
  try {
    const { programs, files } = JSON.parse(await readFile(file, 'utf8'));
    if (typeof programs === 'object' && programs && typeof files === 'object' && files) return { programs, files };
    throw new Error('it has no programs and files');
  } catch (error) {
    throw new MindiError(`these facts cannot be read: ${messageOf(error)}`, {
      code: 'layout.facts',
      where: file,
      hint,
    });
  }
}
