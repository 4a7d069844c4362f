/**
 * mondoarchive's options as mindi reads them. One table: the parser (parse.ts), `--help`, the man page and
 * docs/mondoarchive.md all come from it; what they mean in a profile is translate.ts.
 */
export interface ClassicOption {
  letter: string;
  /** What follows it, as people are told; absent: nothing. */
  value?: string;
  about: string;
  /** What says the same in a profile. */
  profile?: string;
  /** It means nothing today: what is so without it, or what to use. The run goes on. */
  gone?: string;
  /** It chose files to archive in a way that there is no longer: the run does not begin. What to use. */
  refused?: string;
}

const TASKS: ClassicOption[] = [
  { letter: 'O', about: 'archive this machine' },
  {
    letter: 'V',
    profile: 'archive.verify: true',
    about: 'verify the set: with -O the one just written, alone the newest that is there',
  },
];

/** Exactly one of them says what the set is written to. */
const TARGETS: ClassicOption[] = [
  { letter: 'i', profile: 'archive.to: { iso: DIR }', about: 'ISO images in the directory -d' },
  {
    letter: 'n',
    profile: 'archive.to: { iso: nfs://SERVER/PATH }',
    value: 'SERVER:/PATH',
    about: 'ISO images on an NFS server; nfs:// and sshfs:// too; -d is below it',
  },
  { letter: 'c', profile: 'archive.to: { burner: DEVICE, speed: N }', value: 'SPEED', about: 'CDs, in the burner -d' },
  {
    letter: 'w',
    profile: 'archive.to: { burner: DEVICE, speed: N, wipe: true }',
    value: 'SPEED',
    about: 'rewritable CDs, which are wiped',
  },
  { letter: 'r', profile: 'archive.to: { burner: DEVICE }', about: 'DVDs or Blu-ray discs' },
  {
    letter: 'C',
    profile: 'archive.to: { burner: DEVICE, speed: N }',
    value: 'SPEED',
    about: 'CDs, as -c: there is no other way of writing them any more',
  },
  { letter: 't', profile: 'archive.to: { tape: DEVICE }', about: 'tapes, in the drive -d' },
  { letter: 'u', profile: 'archive.to: { tape: DEVICE }', about: 'the same, of a drive that is no SCSI tape' },
  {
    letter: 'o',
    profile: 'archive.to: { tape: DEVICE, obdr: true }',
    about: 'a tape that also starts the machine (One Button Disaster Recovery)',
  },
  { letter: 'U', profile: 'archive.to: { usb: DEVICE }', about: 'the USB disk -d' },
];

const WHERE: ClassicOption[] = [
  { letter: 'd', value: 'PATH', about: 'the directory or device, from / on' },
  { letter: 'p', profile: 'name', value: 'PREFIX', about: 'names the set and its images; mondorescue if not said' },
  {
    letter: 's',
    profile: 'archive.volume',
    value: 'SIZES',
    about: 'what a medium holds: 700m, 4.3g, or one for each, 4480m,650m; a number alone is MiB',
  },
  { letter: 'S', profile: 'archive.scratch', value: 'DIR', about: 'where volumes wait to be written; never archived' },
  { letter: 'T', value: 'DIR', about: 'where other temporary files lie; never archived' },
  {
    letter: 'b',
    profile: 'archive.to: { tape: DEVICE, blockSize: BYTES }',
    value: 'BYTES',
    about: 'block size of tapes, 512 to 1M, a multiple of 512',
  },
  { letter: 'e', profile: 'archive.to: { …, eject: false }', about: 'leave the medium in the drive' },
];

const WHAT: ClassicOption[] = [
  {
    letter: 'I',
    profile: 'archive.include',
    value: 'PATHS',
    about: 'what to archive, instead of /: separated by |, or by blanks',
  },
  { letter: 'J', profile: 'archive.include', value: 'FILE', about: 'the same, one path a line of a file' },
  { letter: 'E', profile: 'archive.exclude', value: 'PATHS', about: 'what to leave out: separated by |, or by blanks' },
  { letter: 'N', profile: 'archive.filesystems: local', about: 'leave out file systems of servers' },
  {
    letter: 'D',
    about: 'only what changed since the last set',
    refused: 'write a profile: archive: { to: { directory: /bkp }, differential: 7d }; on other media each set is full',
  },
  {
    letter: 'x',
    value: 'DEVICES',
    about: 'images of NTFS devices',
    refused: 'mount them read-only, and name the directory with -I; or keep them by `ntfsclone`',
  },
];

const HOW: ClassicOption[] = [
  { letter: 'L', profile: 'archive.compression: lzo', about: 'compress by lzo' },
  { letter: 'G', profile: 'archive.compression: gzip', about: 'compress by gzip' },
  { letter: 'Y', profile: 'archive.compression: xz', about: 'compress by LZMA (xz)' },
  { letter: '0', profile: 'archive.compression: none', about: 'do not compress' },
  {
    letter: '1',
    profile: 'archive.level: 1',
    about: 'compress quickly: by zstd if neither of -L, -G, -Y says otherwise',
  },
  ...['2', '3', '4', '5', '6', '7', '8'].map((letter) => ({
    letter,
    profile: `archive.level: ${letter}`,
    about: `compress at level ${letter}`,
  })),
  { letter: '9', profile: 'archive.level: 9', about: 'compress as much as can be' },
  {
    letter: 'R',
    about: 'archive by star',
    gone: 'sets are PAX archives of GNU tar, which keep ACLs and extended attributes as star did',
  },
];

const MEDIUM: ClassicOption[] = [
  {
    letter: 'k',
    profile: 'kernel: { image, modules }, or failsafe',
    value: 'KERNEL',
    about: 'image of the kernel that boots the medium, or FAILSAFE',
  },
  {
    letter: 'H',
    profile: 'restore.mode: nuke, boot.default: nuke',
    about: 'the medium restores without asking when it is started: nuke mode',
  },
  { letter: 'P', profile: 'restore.after', value: 'SCRIPT', about: 'a script that runs when a restore is done' },
  { letter: 'W', profile: 'no media', about: 'the media do not boot' },
  {
    letter: 'f',
    value: 'DEVICE',
    about: 'where the boot loader belongs',
    gone: 'the mountlist on the medium knows where this machine starts from',
  },
  {
    letter: 'l',
    value: 'LOADER',
    about: 'which boot loader this machine has',
    gone: 'it is recognised when the machine is restored; `mondoarchive -Q` tells which it is',
  },
  { letter: 'F', about: 'no floppy images', gone: 'there are none' },
];

const PROGRAM: ClassicOption[] = [
  {
    letter: 'A',
    value: 'COMMAND',
    profile: 'archive.after',
    about: 'run when all is written; with -i once for each image, where _ISO_ and _CD#_ stand for it and its number',
  },
  { letter: 'B', value: 'COMMAND', profile: 'archive.before', about: 'run before anything is read' },
  { letter: 'Q', about: 'tell which boot loader this machine has, and end' },
  {
    letter: 'm',
    about: 'the tray is opened by hand',
    gone: 'each medium is asked for, and the tray opened where the drive can',
  },
  { letter: 'K', value: 'LEVEL', about: 'how much is logged', gone: 'the log, /var/log/mindi.log, has everything' },
  {
    letter: 'g',
    about: 'graphical screens',
    gone: 'without options mondoarchive asks its questions on the terminal',
  },
];

/** Beside the letters; `word` follows the two dashes. */
export const MODERN_OPTIONS = [
  { word: 'show-profile', about: 'print the profile that does the same, and do nothing' },
  { word: 'json', about: 'print the answer as JSON' },
] as const;

/** In the order of the docs, under their headings. */
export const OPTION_GROUPS: readonly { title: string; options: readonly ClassicOption[] }[] = [
  { title: 'What is done', options: TASKS },
  { title: 'What it is written to: one of these', options: TARGETS },
  { title: 'Where, and how big', options: WHERE },
  { title: 'What is archived', options: WHAT },
  { title: 'How it is compressed', options: HOW },
  { title: 'The medium', options: MEDIUM },
  { title: 'The run', options: PROGRAM },
];

export const CLASSIC_OPTIONS = OPTION_GROUPS.flatMap(({ options }) => options);
export const TARGET_LETTERS = TARGETS.map(({ letter }) => letter);

/** Options that contradict each other, and why. */
export const CONTRADICTIONS: readonly { one: string; others: string; why: string }[] = [
  { one: 'L', others: 'GY', why: 'a set is compressed by one method' },
  { one: 'G', others: 'Y', why: 'a set is compressed by one method' },
  { one: '0', others: 'LGY', why: '-0 means not compressed' },
  { one: 'I', others: 'J', why: 'both say what is archived' },
  { one: 'H', others: 'tu', why: 'a plain tape starts no machine that could restore itself; -o makes one that does' },
  { one: 'H', others: 'W', why: 'a medium that does not boot restores nothing by itself' },
  { one: 'k', others: 'W', why: 'a medium that does not boot has no kernel' },
  { one: 's', others: 'tuo', why: 'a tape is written until it is full' },
  { one: 'U', others: 's', why: 'a USB disk is one medium, as big as it is' },
];
