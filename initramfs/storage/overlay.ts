import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { StorageDevice } from '../../contract/storage.ts';
import { busybox, complaint } from '../process.ts';
import { OUR_LAYERS } from './block-devices.ts';
import type { StorageContext } from './context.ts';
import { dmsetup } from './mapper.ts';

const FOLDER = '/run/mindi/overlay';
/** Bytes that may be written to a layer. It is a hole until then, and what writes on its own writes a few blocks. */
const SIZE = 64 * 1024 ** 2;
/** Sectors that are copied at a time. */
const CHUNK = 8;

/**
 * Puts a layer in RAM over a device: what reads it sees the device, what is written stays in the layer. For what cannot
 * be started without writing: mirrors, pools and caches of LVM. The device itself is only ever opened for reading.
 * @returns the layer's node, or null, and then it was told why
 */
export async function overlay(storage: StorageContext, disk: StorageDevice): Promise<string | null> {
  const { device, bytes } = disk;
  const node = layerNode(disk);
  const layer = basename(node);
  if (existsSync(node)) return node;
  await storage.modules.loadAll(['loop', 'dm_mod', 'dm_snapshot']);
  const file = join(FOLDER, layer);
  mkdirSync(FOLDER, { recursive: true });
  const handle = openSync(file, 'w');
  ftruncateSync(handle, SIZE);
  closeSync(handle);
  const loop = (await busybox(['losetup', '-f'])).stdout.trim();
  const looped = await busybox(['losetup', loop, file]);
  const table = `0 ${bytes / 512} snapshot ${device} ${loop} N ${CHUNK}`;
  const made = looped.code === 0 ? await dmsetup(['create', layer, '--table', table]) : looped;
  if (made.code === 0) return node;
  storage.problem(`${device} is not used, because no layer in RAM protects it: ${complaint(made)}.`);
  return null;
}

/** Where a device's layer is, if it has one. */
export const layerNode = ({ name }: StorageDevice): string =>
  join('/dev/mapper', `${OUR_LAYERS}${name.replaceAll('!', '-')}`);

/** Takes the layer away again, once nothing uses it. */
export async function removeOverlay(disk: StorageDevice): Promise<void> {
  const node = layerNode(disk);
  if (existsSync(node)) await dmsetup(['remove', basename(node)]);
}
