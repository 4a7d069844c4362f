import { findSignedLoaders, type SignedLoaders } from '../boot/signed-loaders.ts';
import { MindiError } from '../contract/error.ts';
import { isSigned } from './kernel/signature.ts';
import type { KernelTree } from './kernel/source.ts';
import type { Settings } from './profile/schema.ts';

interface Options {
  /** The profile's place that asked, `file:line:column`. */
  where: string;
  note: (text: string) => void;
  /** Where the file system with the loaders starts. */
  root?: string;
}

/**
 * The signed loaders that start the media where Secure Boot is on. Null when the profile wants none, or with `auto` when
 * something is missing, which goes to `note`.
 * @throws MindiError `secure-boot.missing` with `require`: one problem for everything that is missing
 */
export async function secureLoaders(
  choice: Settings['boot']['secureBoot'],
  kernel: Pick<KernelTree, 'image' | 'origin'>,
  { where, note, root }: Options,
): Promise<SignedLoaders | null> {
  if (choice === 'off') return null;
  const loaders = findSignedLoaders(root);
  const missing = [...lacking(loaders), ...((await isSigned(kernel.image)) ? [] : [unsigned(kernel.origin)])];
  if (!Array.isArray(loaders) && missing.length === 0) return loaders;
  if (choice === 'auto') {
    note(`these media start only where Secure Boot is off: ${missing.map(({ message }) => message).join('; ')}`);
    return null;
  }
  throw MindiError.all(
    missing.map(({ message, hint }) => new MindiError(message, { code: 'secure-boot.missing', where, hint })),
    'the media cannot start with Secure Boot on:',
    'secure-boot.missing',
  );
}

interface Lack {
  message: string;
  hint: string;
}

function lacking(loaders: ReturnType<typeof findSignedLoaders>): Lack[] {
  if (!Array.isArray(loaders)) return [];
  return loaders.map(({ what, package: owner }) => ({
    message: `no ${what} on this machine (package ${owner})`,
    hint: `Install the package ${owner}.`,
  }));
}

function unsigned(kernel: string): Lack {
  return {
    message: `the kernel ${kernel} is not signed`,
    hint: 'Choose a signed kernel of your distribution, or `kernel: failsafe`, Debian’s.',
  };
}
