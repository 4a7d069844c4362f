import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveKernel } from '../../builder/kernel/source.ts';
import { makeTree, treeDifferences } from '../archive-tree.ts';
import { serveNfs } from '../boot/ganesha.ts';
import { serveSsh } from '../boot/servers.ts';
import { freePort } from '../free-port.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { Terminal } from '../terminal.ts';

/**
 * The paper's own example, its kernel and its server replaced by ones that exist. Where the kernel of this machine cannot
 * mount NFS the server is one of SSH, which mondoarchive takes at the same place.
 */
const canMountNfs = /\tnfs4?$/m.test(readFileSync('/proc/filesystems', 'utf8'));

const work = temporaryFolder('mondoarchive');
const at = (...path: string[]) => join(work, ...path);
const tree = at('machine');
let kernel: string;
let server: string;
let stop: () => void;

beforeAll(async () => {
  makeTree(tree);
  mkdirSync(at('machine/usr/share/doc'), { recursive: true });
  writeFileSync(at('machine/usr/share/doc/README'), 'left out');
  for (const name of ['writer/nfs/bkp', 'server', 'dot-ssh']) mkdirSync(at(name), { recursive: true });
  kernel = (await resolveKernel('failsafe')).image;
  const port = await freePort();
  if (canMountNfs) {
    stop = await serveNfs(at('writer/nfs'), 4, port, at('server'), { name: '/writer/nfs', access: 'RW' });
    server = `nfs://127.0.0.1:${port}/writer/nfs`;
    return;
  }
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('dot-ssh/id_ed25519')]);
  const ssh = await serveSsh(at('dot-ssh/id_ed25519'), at('server'), port);
  writeFileSync(at('dot-ssh/known_hosts'), `[127.0.0.1]:${port} ${ssh.publicKey}`);
  stop = ssh.stop;
  server = `sshfs://root@127.0.0.1:${port}${at('writer/nfs')}`;
});
afterAll(() => stop?.());

/** Runs it with mounts of its own, among them the keys for the server. */
function mondoarchive(...argv: string[]) {
  const script = 'mkdir -p /root/.ssh && mount --bind "$0" /root/.ssh && exec "$@"';
  const words = ['--mount', 'sh', '-c', script, at('dot-ssh'), resolve('bin/mondoarchive'), ...argv];
  return execa('unshare', words, { reject: false, stdin: 'ignore', env: { MINDI_LOG: at('log') } });
}

describe(`the paper's example, on a server of ${canMountNfs ? 'NFS' : 'SSH: this kernel cannot mount NFS'}`, () => {
  const set = () => at('writer/nfs/bkp/machine1-000001');

  test('writes ISO images that boot, and verifies them', async () => {
    const { exitCode, stderr, stdout } = await mondoarchive(
      ...['-OV', '-k', kernel, '-d', '/bkp', '-s', '700M', '-I', tree],
      ...['-E', `/usr/share/doc /usr/src /mnt/fs2 ${tree}/usr/share/doc`, '-N', '-p', 'machine1'],
      ...['-T', at('home/mondo/tmp'), '-S', at('home/mondo/scratch'), '-n', server],
    );
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stdout).toContain(`machine1-000001`);
    expect(readdirSync(set())).toEqual(['machine1-1.iso']);
    expect(readdirSync(at('home/mondo/scratch'))).toEqual([]);
    const iso = join(set(), 'machine1-1.iso');
    expect(execFileSync('isoinfo', ['-d', '-i', iso]).toString()).toContain('El Torito');
    expect(execFileSync('isoinfo', ['-R', '-f', '-i', iso]).toString()).toMatch(/mindi\/volume\.json/);
  });

  test('-V verifies the newest set there is', async () => {
    const { exitCode, stderr, stdout } = await mondoarchive('-V', '-n', server, '-d', '/bkp', '-p', 'machine1');
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stdout).toContain('all as they were written');
  });

  test('what comes back is what was archived, but for what was left out', async () => {
    const out = at('out');
    const words = ['extract', at('writer/nfs/bkp'), '--to', out];
    await execa(resolve('bin/mindi'), words, { env: { MINDI_LOG: at('log') } });
    expect(readdirSync(join(out, tree, 'usr/share'))).toEqual([]);
    mkdirSync(join(out, tree, 'usr/share/doc'));
    execFileSync('cp', ['-a', `${tree}/usr/share/doc`, join(out, tree, 'usr/share')]);
    execFileSync('touch', ['-r', `${tree}/usr/share`, join(out, tree, 'usr/share')]);
    expect(treeDifferences(tree, join(out, tree))).toBe('');
  });
});

test('without options on a terminal it asks, and shows the command line of the answers', async () => {
  await using terminal = await Terminal.run(`MINDI_LOG=${at('log')} ${resolve('bin/mondoarchive')}`, work);
  const answerTo = async (question: RegExp, ...keys: string[]) => {
    await terminal.waitFor(new RegExp(`◆ .*${question.source}`), 60);
    await terminal.press(...keys);
  };
  await answerTo(/What shall I write to/, 'Enter');
  await answerTo(/In which directory/, 'C-u', at('asked'), 'Enter');
  await answerTo(/How big/, '700m', 'Enter');
  await answerTo(/What shall I archive/, 'C-u', at('home'), 'Enter');
  await answerTo(/What shall I leave out/, '/tmp', 'Enter');
  await answerTo(/file systems of servers/, 'y');
  await answerTo(/How shall I compress/, 'Down', 'Down', 'Enter');
  await answerTo(/start the machine/, 'n');
  await answerTo(/call it/, 'C-u', 'web1', 'Enter');
  await answerTo(/verify it/, 'y');
  const screen = await terminal.waitFor(/Shall I begin/);
  const line = `mondoarchive -OV -i -d ${at('asked')} -s 700m -I ${at('home')} -E /tmp -N -G -W -p web1`;
  expect(screen.replaceAll(/\s/g, '')).toContain(line.replaceAll(' ', ''));
  await terminal.press('y');
  expect(await terminal.waitFor(/exit status/, 60)).toMatch(/asked\/web1-000001[\s\S]*exit status 0$/m);
  expect(readdirSync(at('asked/web1-000001'))).toEqual(['web1-1.iso']);
});

test('whoever presses Ctrl-C has nothing written', async () => {
  await using terminal = await Terminal.run(`MINDI_LOG=${at('log')} ${resolve('bin/mondoarchive')}`, work);
  await terminal.waitFor(/What shall I write to/);
  await terminal.press('C-c');
  expect(await terminal.waitFor(/exit status/)).toMatch(/Nothing was written\.[\s\S]*exit status 1$/m);
});
