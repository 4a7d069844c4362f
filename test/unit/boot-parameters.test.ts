import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { render } from '../../boot/menu.ts';
import { BOOT_PARAMETERS, PARAMETER_GROUPS } from '../../contract/boot-parameters.ts';
import { type BootParameters, chosenSource } from '../../contract/boot-request.ts';
import { parseBootParameters, withoutPassword } from '../../contract/command-line.ts';

describe('boot parameters', () => {
  const read = (line: string): Partial<BootParameters> => parseBootParameters(`quiet console=tty0 ${line}`);

  it.each<[string, Partial<BootParameters>]>([
    ['interactive', { mode: 'interactive' }],
    ['expert_mode', { mode: 'expert' }],
    ['compare', { mode: 'compare' }],
    ['nuke_mode', { mode: 'nuke' }],
    ['RESTORE', { mode: 'nuke' }],
    ['restore', { mode: 'nuke' }],
    ['mindi.mode=compare', { mode: 'compare' }],
    ['iso', { isoFiles: true, source: null }],
    ['pxe', { net: true, source: null }],
    ['net', { net: true }],
    ['tape', { source: 'tape:' }],
    ['tape=/dev/nst1', { source: 'tape:/dev/nst1' }],
    ['usb=/dev/sdb', { source: 'usb:/dev/sdb' }],
    ['nfsmount=backup:/srv/web01', { source: 'nfs://backup/srv/web01' }],
    ['nfsmount=[2001:db8::1]:/srv', { source: 'nfs://[2001:db8::1]/srv' }],
    ['prefix=web01', { prefix: 'web01' }],
    ['mindi.source=nfs:10.0.0.1:/srv', { source: 'nfs://10.0.0.1/srv' }],
    ['mindi.source=s3://bucket/web01', { source: 's3://bucket/web01' }],
    ['mindi.source=disk:LABEL=store/web01', { source: 'disk:LABEL=store/web01' }],
    ['"mindi.source=disk:LABEL=my disk/web01"', { source: 'disk:LABEL=my disk/web01' }],
    ['ping', { ping: 3 }],
    ['ping=7', { ping: 7 }],
    ['hwaddr=52:54:00:12:34:56', { hwaddr: '52:54:00:12:34:56' }],
    ['ipconf=eth0:dhcp', { network: expect.objectContaining({ ip: [expect.objectContaining({ nic: 'eth0' })] }) }],
    ['BOOTIF=01-52-54-00-12-34-56', { bootif: '01-52-54-00-12-34-56' }],
    ['donteject', { dontEject: true }],
    ['noresize', { noResize: true }],
    ['textonly', { textOnly: true }],
    ['nopart', { noPart: true }],
    ['nolvm', { noLvm: true }],
    ['nohw', { noHw: true }],
    ['excludedevs=sdb,/dev/sdc', { excludeDevs: ['sdb', '/dev/sdc'] }],
    ['"excludevs=sdb|sdc sdd"', { excludeDevs: ['sdb', 'sdc', 'sdd'] }],
    ['denymods=pcspkr,floppy', { deny: ['pcspkr', 'floppy'] }],
    ['forcemods="usbhid e1000"', { force: ['usbhid', 'e1000'] }],
    ['pre=/root/before post=http://server/after', { pre: '/root/before', post: 'http://server/after' }],
    ['udevtimeout=10', { wait: 10 }],
    ['mindi.console=ttyS1,9600 mindi.console=tty1', { console: ['ttyS1,9600', 'tty1'] }],
    ['mindi.keymap=de-latin1', { keymap: 'de-latin1' }],
    ['mindi.ssh', { ssh: true }],
    ['mindi.ssh=off', { ssh: false }],
    ['mindi.log=syslog://10.0.0.1 mindi.log=http://log/', { log: ['syslog://10.0.0.1', 'http://log/'] }],
    ['mindi.onfail=poweroff', { onFail: 'poweroff' }],
    ['toram', { toRam: true }],
    ['usb-storage.delay_use=1', { moduleOptions: new Map([['usb_storage', ['delay_use=1']]]) }],
  ])('%s', (line, wanted) => expect(read(line)).toMatchObject({ ...wanted, problems: [] }));

  it('reads every parameter and every other name of it', () => {
    const nothing = parseBootParameters('');
    for (const { kind, name, aliases = [], value } of BOOT_PARAMETERS) {
      const [first, ...others] = [name, ...aliases].map((one) => {
        const some = { number: '5', mode: 'nuke', onFail: 'reboot', network: 'dhcp' }[kind as string] ?? 'usb:';
        return parseBootParameters(value ? `${one}=${some}` : one);
      });
      for (const other of others) expect({ ...other, problems: [] }).toEqual({ ...first, problems: [] });
      if (kind !== 'network') expect(first).not.toEqual(nothing);
    }
  });

  it('has no name twice', () => {
    const names = BOOT_PARAMETERS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each([
    ['mindi.keymp=de', 'The boot parameter mindi.keymp is unknown; perhaps mindi.keymap is meant.'],
    ['mindi.frobnicate', 'The boot parameter mindi.frobnicate is unknown.'],
    ['mindi.mode=destroy', 'The boot parameter mindi.mode=destroy is none of interactive, expert, compare, nuke.'],
    ['mindi.onfail=panic', 'The boot parameter mindi.onfail=panic is none of shell, reboot, poweroff.'],
    ['prefix=', 'The boot parameter prefix needs a value: prefix=…'],
    ['udevtimeout=soon', 'The boot parameter udevtimeout=soon is not a number of seconds.'],
    ['mindi.source=/srv', /^The boot parameter mindi.source has no address of restore data/],
    ['nfsmount=', /^The boot parameter nfsmount has no address/],
    ['mindi.ip=eth0', /^The boot parameter mindi.ip=eth0 is not used: it is none of dhcp/],
    ['nuke expert', 'The boot parameters contradict each other (nuke, expert); expert is taken.'],
    [
      'usb=/dev/sdb mindi.source=sftp://me:secret@host/a',
      'The boot parameters name several sources of restore data (usb:/dev/sdb, sftp://host/a); the last one is taken.',
    ],
    ['mindi.ssh mindi.ssh=off', /switch mindi.ssh on and off; the last one is taken: off/],
    ['ip=none ip=dhcp', /ask for a network and for none/],
  ])('%s is a problem', (line, sentence) => {
    expect(read(line).problems).toEqual([typeof sentence === 'string' ? sentence : expect.stringMatching(sentence)]);
  });

  it('takes the source of the command line, else the profile’s, else ISO files on a disk', () => {
    const sources = (line: string) =>
      [null, 'nfs://server/a'].map((profile) => chosenSource(parseBootParameters(line), profile));
    expect(sources('')).toEqual([null, 'nfs://server/a']);
    expect(sources('iso')).toEqual(['disk:', 'nfs://server/a']);
    expect(sources('iso nfsmount=b:/c')).toEqual(['nfs://b/c', 'nfs://b/c']);
  });

  it('shows no password', () => {
    expect(withoutPassword('https://user:p@host:8080/a?token=b')).toBe('https://host:8080/a');
    expect(withoutPassword('usb:/dev/sdb')).toBe('usb:/dev/sdb');
  });

  it('gives an answer to any text', () => {
    const names = BOOT_PARAMETERS.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    const word = fc.oneof(
      fc.string({ maxLength: 30 }),
      fc.tuple(fc.constantFrom(...names), fc.string({ maxLength: 30 })).map(([name, value]) => `${name}=${value}`),
      fc.constantFrom(...names),
    );
    const line = fc.array(word, { maxLength: 8 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(line, (text) => {
        const { problems } = parseBootParameters(text);
        for (const sentence of problems) expect(sentence).toMatch(/^The boot parameter/);
      }),
      { numRuns: 1000 },
    );
  });

  it('are all in docs/boot-parameters.md', async () => {
    const cell = (text: string) => text.replaceAll('|', '\\|');
    const groups = PARAMETER_GROUPS.map(({ title, parameters }) => ({
      title,
      rows: parameters.map(({ name, value = '', aliases = [], about }) => ({
        name: cell(`${name}${value}`),
        others: aliases.map((alias) => `\`${alias}\``).join(', '),
        about: cell(about),
      })),
    }));
    const page = await render('boot-parameters.md', { groups });
    await expect(page).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/boot-parameters.md'));
  });
});
