import { open, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { MindiError, messageOf } from '../../contract/error.ts';
import { type FoundKernel, findKernel } from '../kernel/find.ts';
import type { Medium } from './schema.ts';

/** What a starter profile is written for. */
export interface StarterFacts {
  /** `hostname` of the machine, as it is. */
  host: string;
  /** Image of the running kernel, when it was found. */
  found?: FoundKernel;
  /** What the person chose; `auto` and every medium of `standalone` when nobody was asked. */
  kernel?: 'auto' | 'running' | 'failsafe';
  media?: readonly Medium[];
}

/** The machine this runs on. */
export function thisMachine(): StarterFacts {
  return { host: hostname(), found: findKernel().found };
}

/** A profile name made of a host's: `Web_01.example.org` -> `web_01`; `rescue` when nothing of it can stay. */
export function profileName(host: string): string {
  const label = host.toLowerCase().split('.')[0] ?? '';
  const name = label
    .replace(/[^a-z0-9_-]+/g, '-')
    .slice(0, 64)
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return name || 'rescue';
}

/** The text of a commented profile to start from: short, because what it does not say is as in `standalone`. */
export function starterProfile(facts: StarterFacts): string {
  const name = profileName(facts.host);
  return `# Rescue medium for ${name}, begun by \`mindi new\`.
#
# What is not said here is as in the built-in profile \`standalone\`: all driver sets, all tools, the disks of this
# machine. \`mindi schema\` explains every field. Take the # away from what you want to change.
name: ${name}
description: Rescue medium for ${name}
extends: standalone

# ${kernelComment(facts.found)}
# Or running, failsafe, { image: /boot/vmlinuz-X, modules: /usr/lib/modules/X }, { package: ./kernel.rpm }
kernel: ${facts.kernel ?? 'auto'}
${facts.media ? `\nmedia: [${facts.media.join(', ')}]\n` : ''}
# drivers:
#   # The item ... stands for the sets of standalone; a path is a set of your own.
#   sets: [..., ./fibre-channel.yaml]
#   include: [hpsa, drivers/net/wireless/]
#   exclude: [pcspkr]

# tools:
#   # Programs by name, files by path (relative to this file).
#   include: [vim, ./restore-database.sh]

# Captured before by \`mindi makemountlist\`; host: when the medium is built.
# mountlist: { file: ./mountlist.txt }

# boot:
#   timeout: 10
#   default: expert
#   append: [nomodeset]
#   serial: ttyS1,115200

# network:
#   ip: dhcp

# MiB; over them the build fails and names the biggest items.
# budget:
#   initrd: 80
#   ram: 512
`;
}

function kernelComment(found: FoundKernel | undefined): string {
  if (!found) return 'This machine shows no image of the kernel it runs: auto takes the failsafe kernel.';
  return `This machine runs Linux ${found.header.release} (${basename(found.path)}): auto takes it.`;
}

/**
 * Writes a starter profile to a new file; never over one that is there, never half.
 * @throws MindiError `new.exists` or `new.unwritable`.
 */
export async function createStarter(file: string, facts: StarterFacts): Promise<void> {
  const handle = await open(file, 'wx').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'EEXIST' ? exists(file) : unwritable(file, error);
  });
  try {
    await handle.writeFile(starterProfile(facts));
  } catch (error) {
    await unlink(file);
    throw unwritable(file, error);
  } finally {
    await handle.close();
  }
}

function exists(file: string): MindiError {
  return new MindiError('this is there already and is left as it is', {
    code: 'new.exists',
    where: file,
    hint: 'Name another file: `mindi new FILE.yaml`.',
  });
}

const REASONS: Record<string, string> = {
  ENOENT: 'its directory is not there',
  EISDIR: 'it names a directory',
  ENOTDIR: 'its directory is a file',
  EACCES: 'you may not write there',
  EROFS: 'the filesystem is read-only',
  ENOSPC: 'the disk is full',
};

const reason = (error: unknown) => REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? messageOf(error);

function unwritable(file: string, error: unknown): MindiError {
  return new MindiError(`this cannot be written: ${reason(error)}`, {
    code: 'new.unwritable',
    where: file,
    hint: 'Name a file in a directory you may write to: `mindi new FILE.yaml`.',
    cause: error,
  });
}
