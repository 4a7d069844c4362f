/**
 * The kernel command line as mindi reads it. One table: the parser (command-line.ts), the boot menu's help and
 * docs/boot-parameters.md all come from it. Names the table does not know belong to the kernel or to a module and are left
 * alone, except in mindi's own namespace.
 */
import { FAILURE_ACTIONS } from './boot-request.ts';
import type { BootParameter } from './command-line.ts';
import { NETWORK_PARAMETERS } from './network-parameters.ts';
import { RESTORE_MODES } from './rescue-config.ts';

const CLASSIC_MODES: readonly BootParameter[] = (
  [
    ['interactive', 'interactive', 'Ask about the restore data and confirm every step.'],
    ['expert', 'expert', 'Give a shell; nothing is started and nothing is written.'],
    ['compare', 'compare', 'Compare the restore data with this machine; nothing is written.'],
    ['nuke', 'nuke', 'Partition, format and restore this machine without asking.'],
    ['RESTORE', 'nuke', 'As nuke: restore without asking.'],
    ['restore', 'nuke', 'The same.'],
  ] as const
).map(([name, mode, about]) => ({ name, kind: 'mode', mode, aliases: [`${name}_mode`], about }));

/** In the order of the docs, under their headings. */
export const PARAMETER_GROUPS: readonly { title: string; parameters: readonly BootParameter[] }[] = [
  {
    title: 'What is done',
    parameters: [
      ...CLASSIC_MODES,
      {
        name: 'mindi.mode',
        kind: 'mode',
        mode: null,
        value: '=MODE',
        about: `One of ${RESTORE_MODES.join(', ')}. Of several modes the one that can destroy least is taken.`,
      },
    ],
  },
  {
    title: 'Where the restore data are',
    parameters: [
      {
        name: 'mindi.source',
        kind: 'source',
        value: '=ADDRESS',
        help: true,
        address: (value) => value,
        about: 'Address of the restore data, for example nfs://server/backup, usb: or disk:LABEL=store/web01.',
      },
      {
        name: 'mindi.password-file',
        kind: 'word',
        sets: 'passwordFile',
        value: '=PATH',
        about: 'A file on the medium or on a USB stick whose first line is the password for the restore data.',
      },
      {
        name: 'mindi.hostkey',
        kind: 'word',
        sets: 'hostKey',
        value: '=SHA256:…',
        about: 'Fingerprint of the key of the SFTP server that has the restore data; another key is refused.',
      },
      {
        name: 'nfsmount',
        kind: 'source',
        value: '=SERVER:/PATH',
        address: (value) => `nfs:${value}`,
        about: 'The same as mindi.source=nfs://SERVER/PATH.',
      },
      {
        name: 'usb',
        kind: 'source',
        value: '[=/dev/sdX]',
        address: (value) => `usb:${value}`,
        about: 'The same as mindi.source=usb:/dev/sdX; without a device, whichever USB disk has restore data.',
      },
      {
        name: 'tape',
        kind: 'source',
        value: '[=/dev/nst0]',
        address: (value) => `tape:${value}`,
        about: 'The same as mindi.source=tape:/dev/nst0; without a device, whichever drive has restore data.',
      },
      {
        name: 'iso',
        aliases: ['iso_mode'],
        kind: 'flag',
        sets: 'isoFiles',
        about: 'The restore data are ISO files: where the medium says they are, else on a disk of this machine.',
      },
      {
        name: 'prefix',
        kind: 'word',
        sets: 'prefix',
        value: '=NAME',
        about: 'Take only ISO files whose names begin so, of those for several machines in one folder.',
      },
    ],
  },
  { title: 'Network', parameters: NETWORK_PARAMETERS },
  {
    title: 'Disks, drivers and waiting',
    parameters: [
      {
        name: 'excludedevs',
        aliases: ['excludevs', 'mindi.excludedevs'],
        kind: 'list',
        sets: 'excludeDevs',
        value: '=DEVICE,…',
        about: 'Devices that are left alone: not assembled, not partitioned, not written to.',
      },
      { name: 'nolvm', kind: 'flag', sets: 'noLvm', about: 'Leave LVM alone: nothing is activated.' },
      {
        name: 'denymods',
        aliases: ['modprobe.blacklist'],
        kind: 'list',
        sets: 'deny',
        value: '=MODULE,…',
        about: 'Kernel modules that are not loaded.',
      },
      {
        name: 'forcemods',
        kind: 'list',
        sets: 'force',
        value: '=MODULE,…',
        about: 'Kernel modules loaded first, wanted by a device or not.',
      },
      {
        name: 'udevtimeout',
        aliases: ['mindi.wait'],
        kind: 'number',
        sets: 'wait',
        value: '=SECONDS',
        about: 'Longest time to wait for devices that are slow to appear.',
      },
      {
        name: 'donteject',
        aliases: ['mindi.donteject'],
        kind: 'flag',
        sets: 'dontEject',
        about: 'Leave discs and tapes in their drives.',
      },
    ],
  },
  {
    title: 'Screen, keyboard and remote access',
    parameters: [
      {
        name: 'mindi.console',
        kind: 'repeated',
        sets: 'console',
        value: '=ttyS0,115200',
        about: 'A console that shows the screen and takes keys; may be there more than once. Else those of console=.',
      },
      {
        name: 'textonly',
        aliases: ['mindi.textonly'],
        kind: 'flag',
        sets: 'textOnly',
        help: true,
        about: 'The menu as numbered lines, for terminals that know no cursor.',
      },
      {
        name: 'mindi.keymap',
        kind: 'word',
        sets: 'keymap',
        value: '=NAME',
        help: true,
        about: 'Console keymap, for example de-latin1.',
      },
      {
        name: 'mindi.ssh',
        kind: 'flag',
        sets: 'ssh',
        value: '[=on|off]',
        help: true,
        about: 'Start SSH, which the keys of the profile start by themselves, or do not; docs/remote-access.md.',
      },
      {
        name: 'mindi.status',
        kind: 'flag',
        sets: 'status',
        value: '[=on|off]',
        about: 'Show the first screen as a read-only page over HTTP, or not.',
      },
      {
        name: 'mindi.log',
        kind: 'repeated',
        sets: 'log',
        value: '=URL',
        about:
          'Send the log away: http://SERVER/PATH (PUT), syslog://SERVER (UDP) or syslog+tcp://SERVER; may be there more than once.',
      },
    ],
  },
  {
    title: 'Unattended restores',
    parameters: [
      {
        name: 'mindi.onfail',
        kind: 'onFail',
        value: `=${FAILURE_ACTIONS.join('|')}`,
        about: 'What follows when a restore without asking cannot go on.',
      },
      {
        name: 'pre',
        aliases: ['mindi.pre'],
        kind: 'word',
        sets: 'pre',
        value: '=SCRIPT',
        about: 'A script run before the restore.',
      },
      {
        name: 'post',
        aliases: ['mindi.post'],
        kind: 'word',
        sets: 'post',
        value: '=SCRIPT',
        about: 'A script run after the restore.',
      },
      { name: 'nopart', kind: 'flag', sets: 'noPart', about: 'Do not partition the disks.' },
      {
        name: 'noresize',
        kind: 'flag',
        sets: 'noResize',
        about: 'Leave the sizes of the mountlist as they are, even where the disks are others.',
      },
      { name: 'nohw', kind: 'flag', sets: 'noHw', about: 'Do not restore settings of the hardware.' },
    ],
  },
  {
    title: 'The medium itself',
    parameters: [
      {
        name: 'toram',
        aliases: ['mindi.toram'],
        kind: 'flag',
        sets: 'toRam',
        help: true,
        about: 'Copy the second stage to RAM, so that the medium can be taken out.',
      },
      {
        name: 'mindi.check',
        kind: 'flag',
        sets: 'check',
        about: 'Read the whole medium and compare it with what was built; then give a shell.',
      },
      {
        name: 'mindi.iso',
        kind: 'word',
        sets: 'iso',
        value: '=PATH',
        about: 'Path of the ISO file on its disk or stick, when a boot loader started it from there.',
      },
      {
        name: 'mindi.stage2',
        kind: 'word',
        sets: 'stage2',
        value: '=URL',
        about:
          'Where to fetch the second stage: http://…, tftp://… or nfs:SERVER:/PATH of the netboot folder, or its path on the boot server.',
      },
      {
        name: 'mindi.server',
        kind: 'word',
        sets: 'server',
        value: '=ADDRESS',
        about: 'Address of the boot server, which has the second stage when nothing else is said.',
      },
    ],
  },
];

export const BOOT_PARAMETERS = PARAMETER_GROUPS.flatMap(({ parameters }) => parameters);
