import { RESTORE_MODES } from '../../contract/rescue-config.ts';
import {
  closed,
  INHERITED,
  keymap,
  NETWORK_FIELDS,
  RESTORE_FIELDS,
  section,
  statusPage,
  strings,
  text,
  textOrNull,
} from '../../contract/settings/fields.ts';
import { type Static, Type } from '../../contract/settings/type.ts';
import { ARCHIVE_SAFETY_FIELDS, ARCHIVE_TO_FIELDS } from './archive-fields.ts';
import { ARCHIVE_RUN_FIELDS } from './archive-run-fields.ts';
import { OWN_RESTORE_FIELDS } from './restore-fields.ts';

/** What `mindi build` can write; each is one file in boot/. */
export const MEDIA = ['iso', 'usb', 'obdr', 'netboot'] as const;
export type Medium = (typeof MEDIA)[number];

const mebibytesOrNull = (description: string) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], exclusiveMinimum: 0, description });
const sizeOrNull = (description: string) =>
  Type.Unsafe<string | number | null>({ type: ['string', 'integer', 'null'], minimum: 1, description });

const KernelSource = Type.Union(
  [
    Type.Enum(['auto', 'running', 'failsafe'], {
      description:
        'auto: the running kernel where its image and modules exist, else failsafe; running: the kernel this machine runs now; failsafe: the signed Debian kernel mindi names',
    }),
    Type.Object(
      {
        image: text('path of a kernel image'),
        modules: text('its modules directory, …/lib/modules/VERSION'),
      },
      closed,
    ),
    Type.Object(
      {
        package: Type.Union(
          [
            text('a package’s name or file'),
            Type.Array(text('a file'), { minItems: 1, description: 'a list of files' }),
          ],
          {
            description:
              'a Debian package name, or a .deb, .rpm, .pkg.tar.zst or .apk file (with a / in it or that ending); a list of files where a distribution splits its kernel',
          },
        ),
      },
      closed,
    ),
  ],
  { description: 'which kernel boots the medium' },
);

const FirmwareChoice = Type.Union(
  [
    Type.Enum(['auto', 'none'], { description: 'auto: what the chosen modules declare and this machine has' }),
    Type.Object(
      {
        from: Type.Optional(
          Type.Array(text('host, a Debian package (non-free-firmware too), or a package file'), {
            minItems: 1,
            description: 'where it is taken from, the first that has a file; host if not said',
          }),
        ),
        include: Type.Optional(
          Type.Array(text('a file or glob'), { description: 'more files, relative to /lib/firmware' }),
        ),
        exclude: Type.Optional(Type.Array(text('a file, glob, or directory/'), { description: 'the same, left out' })),
        limit: Type.Optional(mebibytesOrNull('MiB of firmware; what the first stage needs and small files come first')),
      },
      closed,
    ),
  ],
  { description: 'firmware for the chosen modules' },
);

/** What the schema says of itself; printed first. */
export const SCHEMA_HEAD = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'urn:mindi:profile',
  title: 'mindi profile',
  description: 'One rescue medium of mindi. What a profile does not say is as in the profile it extends.',
};

/**
 * The profile's one source: its JSON Schema (draft 2020-12), and from it the TypeScript types. In the file every field
 * but `name` may be left out; the profile that `extends:` names, and at last profiles/standalone.yaml, says the rest.
 * Lists, never comma strings.
 */
export const ProfileSchema = Type.Object(
  {
    name: Type.String({
      pattern: '^[a-z0-9][a-z0-9._-]*$',
      maxLength: 64,
      description: 'names the media: NAME.iso; small letters, digits, dots, dashes and underlines',
    }),
    description: Type.Optional(Type.String({ description: 'what this medium is for, in one line' })),
    extends: Type.Optional(
      text(
        'a built-in profile, or a file relative to this one, whose fields this one overrides; standalone if not said',
      ),
    ),
    kernel: Type.Optional(KernelSource),
    runtime: Type.Optional(Type.Enum(['node', 'bun'], { description: 'what runs the TypeScript init on the medium' })),
    drivers: section('which kernel modules and firmware are on the medium', {
      sets: Type.Optional(strings('driver sets: profiles/drivers/*.yaml, or a file of your own')),
      include: Type.Optional(strings('more modules, globs, directories or aliases')),
      exclude: Type.Optional(strings('the same, left out')),
      scope: Type.Optional(
        Type.Enum(['all', 'this-machine', 'hardware-files'], {
          description:
            'all: whole sets; this-machine: of the sets what drives the hardware here; hardware-files: what drives the machines of `hardware`',
        }),
      ),
      hardware: Type.Optional(strings('files written by `mindi probe` or scripts/probe on the machines to drive')),
      migrateTo: Type.Optional(
        strings(
          'drivers of machines the system may move to: targets (profiles/targets/*.yaml), driver sets, modules, globs or aliases',
        ),
      ),
      firmware: Type.Optional(FirmwareChoice),
      microcode: Type.Optional(
        Type.Enum(['none', 'this-machine', 'all'], {
          description:
            'microcode the processor gets before anything else starts: of this machine’s processor, or of all',
        }),
      ),
    }),
    tools: section('which programs of this machine are on the medium', {
      sets: Type.Optional(strings('tool sets: profiles/tools/*.yaml, or a file of your own')),
      include: Type.Optional(strings('more programs by name, or files by path')),
    }),
    mountlist: Type.Optional(
      Type.Union(
        [
          Type.Enum(['host', 'none'], {
            description: 'host: captured on this machine when the medium is built; none: a medium for any machine',
          }),
          Type.Object({ file: text('a mountlist written before by `mindi makemountlist`') }, closed),
        ],
        { description: 'the disks the medium can rebuild' },
      ),
    ),
    restore: section('what the medium does when it is up', {
      ...RESTORE_FIELDS,
      ...OWN_RESTORE_FIELDS,
    }),
    media: Type.Optional(
      Type.Array(Type.Enum([...MEDIA, INHERITED]), {
        minItems: 1,
        uniqueItems: true,
        description:
          'what is written: iso (NAME.iso, for CD, DVD and, by dd, a USB stick), usb (NAME.img, a stick that can be written to), obdr (NAME.iso, and NAME.tap, the tape a drive starts it from), netboot (a folder to serve by TFTP and HTTP)',
      }),
    ),
    usb: section('the USB image', {
      size: Type.Optional(
        Type.Unsafe<number | null>({
          type: ['integer', 'null'],
          minimum: 40,
          maximum: 1024 ** 2,
          description: 'MiB of the whole image, so that restore data find room; null: little more than what is on it',
        }),
      ),
      table: Type.Optional(
        Type.Enum(['mbr', 'gpt'], { description: 'its partition table; a few old BIOSes start from mbr only' }),
      ),
    }),
    boot: section('the boot menu and the kernel command line', {
      timeout: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 3600, description: 'seconds the menu waits; 0: for ever' }),
      ),
      default: Type.Optional(
        Type.Enum([...RESTORE_MODES, 'RESTORE', 'local'], {
          description: 'the entry taken then, of the chosen menu; local: the disk of the machine',
        }),
      ),
      append: Type.Optional(
        Type.Array(Type.String({ pattern: '^[\\x20-\\x7e]+$', description: 'one line of ASCII text' }), {
          description: `more kernel parameters, one an item; "${INHERITED}" stands for the inherited`,
        }),
      ),
      serial: Type.Optional(
        Type.Union(
          [
            Type.Literal(false, { description: 'no serial console' }),
            Type.String({
              pattern: '^ttyS[0-9]{1,2}(,[0-9]+([noe][78]?)?r?)?$',
              description: 'a port and its speed, ttyS0,115200',
            }),
          ],
          { description: 'serial console beside the screen, e.g. ttyS0,115200; false: none' },
        ),
      ),
      menu: Type.Optional(
        Type.Enum(['modes', 'restore'], {
          description:
            'modes: interactive, expert, compare, nuke; restore: a medium that resets a machine, with the keyword RESTORE and expert',
        }),
      ),
      lock: Type.Optional(
        Type.Boolean({ description: 'entries cannot be edited at the menu, and the loader gives no command line' }),
      ),
      secureBoot: Type.Optional(
        Type.Enum(['auto', 'require', 'off'], {
          description:
            'start where UEFI Secure Boot is on, by this machine’s signed shim and GRUB and a signed kernel. auto: when they are there; require: the build fails without them; off: by mindi’s own GRUB',
        }),
      ),
    }),
    network: section('the network of the rescue system', {
      ...NETWORK_FIELDS,
      authorities: Type.Optional(
        strings('files with certificates (PEM) of authorities that vouch for servers, beside those this machine knows'),
      ),
    }),
    netboot: section('the medium that machines start from the network', {
      url: Type.Optional(
        textOrNull(
          'where the folder will be: http://…, https://…, tftp://…, nfs://SERVER/PATH or nfs:SERVER:/PATH; null: on the server that boots the machine, by HTTP on port 80, else by TFTP',
          { pattern: '^((https?|tftp|nfs)://[!-#%-~]+|nfs:[A-Za-z0-9.-]+:/[!-#%-~]*)$' },
        ),
      ),
    }),
    access: section('how a person gets at the rescue system', {
      keymap: keymap('console keymap, e.g. de-latin1; host: as this machine has it; null: the kernel’s own (us)'),
      keymaps: Type.Optional(
        strings('console keymaps to choose from on the rescue system; those this machine does not have are left out'),
      ),
      authorizedKeys: Type.Optional(
        strings(
          'public keys that SSH lets in, as lines of authorized_keys or files with them; with one the SSH server is on the medium and starts by itself',
        ),
      ),
      statusPage,
      stick: Type.Optional(
        Type.Boolean({
          description:
            'whether the rescue system takes settings, SSH keys and a keymap from the folder mindi/ of the medium or of a USB stick',
        }),
      ),
      secrets: Type.Optional(
        strings(
          'files that hold secrets and may be on the medium all the same: paths or globs; or boot.append, restore.source, restore.passwordFile, restore.keyFile, restore.command, restore.environment',
        ),
      ),
    }),
    trust: section('how the medium knows that it is what was built', {
      publicKey: Type.Optional(
        textOrNull(
          'minisign or OpenSSH (Ed25519) public key, or a file with it: the medium must be built with --sign; null: none',
        ),
      ),
    }),
    archive: section('the files of this machine that `mindi archive` keeps', {
      include: Type.Optional(strings('absolute paths of files and directories to archive')),
      exclude: Type.Optional(
        strings('absolute paths, globs of them, or globs of names in any directory, to leave out; * matches / too'),
      ),
      excludeTagged: Type.Optional(
        strings('names of files: what lies beside one is left out; CACHEDIR.TAG only with its signature'),
      ),
      excludeLargerThan: Type.Optional(sizeOrNull('leave out files larger than this; null: none')),
      excludeOlderThan: Type.Optional(
        textOrNull('leave out files not changed for so long: 90d, 12h, 2w, 5y; null: none', {
          pattern: '^[0-9]{1,6}[mhdwy]$',
        }),
      ),
      filesystems: Type.Optional(
        Type.Enum(['one', 'local', 'all'], {
          description:
            'what of file systems mounted below the included paths is archived: one: nothing; local: those on disks of this machine; all: those of servers, too. Never what the kernel makes up (/proc)',
        }),
      ),
      ...ARCHIVE_TO_FIELDS,
      ...ARCHIVE_SAFETY_FIELDS,
      compression: Type.Optional(
        Type.Enum(['zstd', 'gzip', 'xz', 'lzo', 'none'], {
          description: 'of archives; what does not get smaller is stored as it is (zstd, gzip)',
        }),
      ),
      level: Type.Optional(
        Type.Unsafe<number | null>({
          type: ['integer', 'null'],
          minimum: 0,
          maximum: 19,
          description: 'how hard it tries: zstd 1-19, gzip and lzo 1-9, xz 0-9; null: as usual, 3, 6, 3, 6',
        }),
      ),
      ...ARCHIVE_RUN_FIELDS,
    }),
    initrd: section('how the initrd is made', {
      fold: Type.Optional(
        Type.Boolean({
          description: 'put the second stage into the initrd too: one file, more RAM, no medium to find',
        }),
      ),
    }),
    budget: section('limits: over them the build fails and names the biggest items', {
      initrd: Type.Optional(mebibytesOrNull('MiB the initrd may have; null: no limit')),
      ram: Type.Optional(mebibytesOrNull('MiB of RAM the medium may need; null: no limit')),
    }),
  },
  { ...closed, ...SCHEMA_HEAD },
);

/** A profile as a person writes it: everything optional but the name. */
export type ProfileFile = Static<typeof ProfileSchema>;

type Complete<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]-?: Complete<Exclude<T[K], undefined>> }
    : T;

/** What a profile says when everything it extends has been asked. Paths are absolute, lists are whole. */
export type Settings = Complete<Omit<ProfileFile, 'extends' | 'media'>> & { media: Medium[] };
