import fs from 'fs-extra';
import { cacheDirectory, cached } from '../builder/cache.ts';
import { fetchFromSource } from '../builder/kernel/apt.ts';
import { scratch } from '../builder/scratch.ts';

const SOURCE =
  'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n';

/** The .deb of Debian trixie's kernel, whose modules are .ko.xz; fetched once. */
export async function trixieKernel(): Promise<string> {
  return cached('test-kernels', 'trixie.deb', async (path) => {
    await fs.ensureDir(cacheDirectory('test-kernels'));
    await using work = await scratch('apt');
    const [deb, ...rest] = await fetchFromSource('linux-image-amd64', work.path, SOURCE);
    const image = [deb, ...rest].find((file) => file && /linux-image-\d/.test(file));
    if (!image) throw new Error('the metapackage led to no kernel image');
    await fs.move(image, path);
  });
}
