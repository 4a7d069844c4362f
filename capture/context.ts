import type { Layout } from '../contract/layout/schema.ts';
import type { FstabLine, Mount } from '../contract/mounts.ts';
import type { Block } from './block.ts';
import type { Machine } from './machine.ts';

/** What the kinds of things share while a machine is captured. */
export interface Context {
  machine: Machine;
  /** Is filled by and by. */
  layout: Layout;
  /** Those that a restore could make again, in lsblk's order. */
  blocks: Block[];
  mounts: Mount[];
  /** Also what is mounted for a while, below /mnt and /run: to know what is in use. */
  everywhere: boolean;
  fstab: FstabLine[];
  /** Ids of swap areas in use. */
  swapping: string[];
  /** Ids of encrypted devices that are not open. */
  locked: string[];
  /** Notes down what the layout cannot say. */
  note(device: string, sentence: string): void;
}

/** The block a path of /dev names. */
export function blockAt({ blocks }: Pick<Context, 'blocks'>, path: string): Block | undefined {
  return blocks.find((block) => block.path === path || `/dev/${block.kname}` === path);
}

/** The fields that have a value: an empty text, an empty list and undefined are none. */
export function said<T extends object>(fields: T): T {
  const kept = Object.entries(fields).filter(
    ([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(kept) as T;
}

/** A number above 0, else undefined. */
export function positive(text: unknown): number | undefined {
  const number = Number.parseInt(String(text ?? ''), 10);
  return number > 0 ? number : undefined;
}
