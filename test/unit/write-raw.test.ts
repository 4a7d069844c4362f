import { randomBytes } from 'node:crypto';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Scratch, scratch } from '../../builder/scratch.ts';
import { alignedBuffer, CHUNK, copyToDevice, findDifference, RawError } from '../../builder/write/raw.ts';

let work: Scratch;
beforeAll(async () => {
  work = await scratch('test');
});
afterAll(() => work[Symbol.asyncDispose]());

async function copied(size: number, block = 512) {
  const [image, device] = [join(work.path, `image-${size}`), join(work.path, `device-${size}`)];
  await writeFile(image, randomBytes(size));
  await writeFile(device, '');
  await using file = await open(image, 'r');
  await using target = await open(device, 'r+');
  const heard: number[] = [];
  await copyToDevice(file, target, { size, block }, (done) => heard.push(done));
  return { image, device, heard, of: { size, block } };
}

async function compared({ image, device, of }: Awaited<ReturnType<typeof copied>>) {
  await using file = await open(image, 'r');
  await using target = await open(device, 'r');
  return await findDifference(file, target, of, () => {});
}

describe('what is copied', () => {
  test.each([512, CHUNK, CHUNK + 2048, 2 * CHUNK + 1000])(
    '%i bytes: the same, whole blocks, and told of',
    async (size) => {
      const copy = await copied(size, 4096);
      const [image, device] = await Promise.all([readFile(copy.image), readFile(copy.device)]);
      expect(device.subarray(0, size).equals(image)).toBe(true);
      expect(device.length).toBe(Math.ceil(size / 4096) * 4096);
      expect(device.subarray(size).every((byte) => byte === 0)).toBe(true);
      expect(copy.heard.at(-1)).toBe(size);
      expect(await compared(copy)).toBeUndefined();
    },
  );

  test('one wrong byte is found, and where', async () => {
    const copy = await copied(2 * CHUNK + 5);
    await using device = await open(copy.device, 'r+');
    await device.write(
      Buffer.from([(await readFile(copy.device))[CHUNK + 9] ?? 0]).map((byte) => byte ^ 1),
      0,
      1,
      CHUNK + 9,
    );
    expect(await compared(copy)).toBe(CHUNK + 9);
  });

  test('a device that has become shorter', async () => {
    const copy = await copied(CHUNK + 4096);
    await truncate(copy.device, CHUNK + 512);
    const error = await compared(copy).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(RawError);
    expect(error).toMatchObject({ done: CHUNK, cause: { code: 'ENODATA' } });
  });

  test('a device that is full: what it came to', async () => {
    const image = join(work.path, 'image');
    await writeFile(image, randomBytes(1000));
    await using file = await open(image, 'r');
    await using full = await open('/dev/full', 'w');
    const error = await copyToDevice(file, full, { size: 1000, block: 512 }, () => {}).catch((thrown) => thrown);
    expect(error).toMatchObject({ done: 0, cause: { code: 'ENOSPC' } });
  });

  test('an image that has become shorter is not the fault of the device', async () => {
    const image = join(work.path, 'short');
    await writeFile(image, randomBytes(1000));
    await using file = await open(image, 'r');
    await using target = await open('/dev/null', 'w');
    const error = await copyToDevice(file, target, { size: 2000, block: 512 }, () => {}).catch((thrown) => thrown);
    expect(error).not.toBeInstanceOf(RawError);
    expect(error).toMatchObject({ code: 'ENODATA' });
  });
});

test('buffers have the size asked for and share nothing', () => {
  const [one, other] = [alignedBuffer(1000), alignedBuffer(CHUNK)];
  one.fill(1);
  expect([one.length, other.length, other[0]]).toEqual([1000, CHUNK, 0]);
});
