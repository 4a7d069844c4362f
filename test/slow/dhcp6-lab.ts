import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { askByDhcp6 } from '../../initramfs/network/dhcp6.ts';

/**
 * In network, mount and process namespaces of its own: two cards, a DHCPv6 server behind the first, nobody behind the
 * second. Prints what came of asking on them as JSON.
 */
async function main(): Promise<void> {
  const scripts = join(import.meta.dirname, '../../initramfs/root/etc/udhcpc');
  for (const place of ['/run', '/var/lib', '/var/log', '/mnt']) run('mount', '-t', 'tmpfs', 'tmpfs', place);
  // The scripts have a fixed place and write to another.
  run('mkdir', '-p', '/mnt/upper', '/mnt/work', '/run/mindi');
  run('mount', '-t', 'overlay', '-o', 'lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work', 'overlay', '/etc');
  run('mkdir', '-p', '/etc/udhcpc');
  run('mount', '--bind', scripts, '/etc/udhcpc');
  run('rm', '-f', '/etc/resolv.conf');
  const server = spawn('unshare', ['--net', 'sh', '-c', 'echo; read wait; exec dnsmasq "$@"', 'sh', ...SERVER]);
  await once(server.stdout, 'data');
  for (const name of ['one', 'two']) {
    run('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `far-${name}`);
    run('ip', 'link', 'set', `far-${name}`, 'netns', String(server.pid));
    run('ip', 'link', 'set', name, 'up');
  }
  const far = (...words: string[]) => run('nsenter', '-t', String(server.pid), '-n', 'ip', ...words);
  far('address', 'add', 'fd00:9::1/64', 'dev', 'far-one', 'nodad');
  for (const name of ['far-one', 'far-two']) far('link', 'set', name, 'up');
  server.stdin.write('\n');
  const first = await askByDhcp6('one');
  const again = await askByDhcp6('one');
  const addresses = (networkInterfaces().one ?? []).map(({ cidr }) => cidr);
  const resolver = readFileSync('/etc/resolv.conf', 'utf8');
  const silent = await askByDhcp6('two');
  process.stdout.write(JSON.stringify({ first, again, addresses, resolver, silent }));
}

const SERVER = [
  ...['-k', '-p', '0', '-C', '/dev/null', '--leasefile-ro', '--pid-file=', '--enable-ra', '--user=root'],
  ...['-F', 'fd00:9::100,fd00:9::1ff,64,1h', '-O', 'option6:dns-server,[fd00:9::53]'],
];

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: 'pipe' });
}

await main();
process.exit();
