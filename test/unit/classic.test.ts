import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa, execaSync } from 'execa';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { render } from '../../boot/menu.ts';
import { loadProfile } from '../../builder/profile/load.ts';
import { bootLoader } from '../../cli/classic/loader.ts';
import { CLASSIC_OPTIONS, CONTRADICTIONS, OPTION_GROUPS } from '../../cli/classic/options.ts';
import { parseClassic } from '../../cli/classic/parse.ts';
import { profileText, translate } from '../../cli/classic/translate.ts';
import { MindiError } from '../../contract/error.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const work = temporaryFolder('classic');
const at = (name: string) => join(work, name);
for (const name of ['a b', 'c', 'boot']) mkdirSync(at(name));
writeFileSync(at('drive'), '');

const meant = (...argv: string[]) => translate(parseClassic(argv));
const archive = (...argv: string[]) => meant('-O', ...argv).profile.archive;

/** What is wrong with a command line, a line each. */
function wrong(...argv: string[]): string[] {
  try {
    meant(...argv);
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    return (error.problems.length > 0 ? error.problems : [error]).map(({ message }) => message);
  }
  return [];
}

describe('what the options mean', () => {
  test("the paper's own example", () => {
    const { profile, place, temporary } = meant(
      ...['-OV', '-d', '/bkp', '-s', '700M', '-E', '/usr/share/doc /usr/src /mnt/fs2', '-N', '-p', 'machine1'],
      ...['-T', '/home/mondo/tmp', '-S', '/home/mondo/scratch', '-n', 'server.hpintelco.org:/writer/nfs'],
    );
    const iso = 'nfs://server.hpintelco.org/writer/nfs/bkp';
    expect({ place, temporary }).toEqual({ place: iso, temporary: '/home/mondo/tmp' });
    expect(profile).toEqual({
      name: 'machine1',
      media: ['iso'],
      network: { ip: 'dhcp' },
      archive: {
        include: ['/'],
        exclude: ['/usr/share/doc', '/usr/src', '/mnt/fs2', '/home/mondo/tmp'],
        filesystems: 'local',
        to: { iso },
        volume: '700M',
        scratch: '/home/mondo/scratch',
        verify: true,
      },
    });
  });

  test('targets', () => {
    const drive = at('drive');
    expect(archive('-i')).toMatchObject({ to: { iso: '/var/cache/mondo' } });
    expect(archive('-n', 'nfs://srv:/x/', '-d', '/y/')).toMatchObject({ to: { iso: 'nfs://srv/x/y' } });
    expect(archive('-n', 'sshfs://anna@srv:22/x')).toMatchObject({ to: { iso: 'sshfs://anna@srv:22/x' } });
    expect(archive('-c', '8', '-d', drive)).toMatchObject({ to: { burner: drive, speed: 8 } });
    expect(archive('-w0', '-ed', drive)).toMatchObject({ to: { burner: drive, wipe: true, eject: false } });
    expect(archive('-r', '-d', drive, '-s', '4480m,650')).toMatchObject({ volume: ['4480m', '650m'] });
    expect(meant('-Ot', '-d', drive, '-b', '32k').profile).toEqual({
      name: 'mondorescue',
      archive: { include: ['/'], filesystems: 'all', to: { tape: drive, blockSize: 32768 } },
    });
    expect(meant('-OoHd', drive).profile).toMatchObject({
      media: ['obdr'],
      restore: { mode: 'nuke' },
      boot: { default: 'nuke' },
      archive: { to: { tape: drive, obdr: true } },
    });
    expect(meant('-OUd', drive).profile).toMatchObject({ media: ['usb'], archive: { to: { usb: drive } } });
    expect(meant('-OWi').profile).not.toHaveProperty('media');
  });

  test('paths, compression', () => {
    writeFileSync(at('list'), `${at('a b')}\n${at('c')}\n`);
    const both = [at('a b'), at('c')];
    expect(archive('-iI', both.join('|'))).toMatchObject({ include: both });
    expect(archive('-iJ', at('list'))).toMatchObject({ include: both });
    expect(archive('-iI', `${at('c')}/  ${at('boot')}`)).toMatchObject({ include: [at('c'), at('boot')] });
    expect(archive('-i9')).toMatchObject({ level: 9 });
    expect(archive('-iL')).toMatchObject({ compression: 'lzo' });
    expect(archive('-iG2')).toMatchObject({ compression: 'gzip', level: 2 });
    expect(archive('-iY')).toMatchObject({ compression: 'xz' });
    expect(archive('-i0')).toMatchObject({ compression: 'none' });
  });

  test('options that mean nothing any more are told, and the run goes on', () => {
    const { notes, profile } = meant(...['-OiRFmg', '-K', '9', '-l', 'LILO', '-f', '/dev/hda', '-p', 'Web1']);
    expect(notes.map((note) => note.slice(0, 2))).toEqual(['-R', '-f', '-l', '-F', '-m', '-K', '-g', 'th']);
    expect(profile.name).toBe('web1');
  });

  test('commands before and after; images by their tokens', () => {
    expect(archive('-oA', 'beep', '-B', 'freeze', '-d', at('drive'))).toMatchObject({
      before: [['sh', '-c', 'freeze']],
      after: [['sh', '-c', '[ "$MINDI_RESULT" = failure ] && exit; beep']],
    });
    mkdirSync(at('set 1'));
    for (const number of [1, 2]) writeFileSync(at(`set 1/web1-${number}.iso`), `image ${number}\n`);
    const said = archive('-iA', `cat _ISO_; echo "is _CD#_"`);
    const [words] = (said?.after ?? []) as string[][];
    const env = { MINDI_SET: at('set 1'), MINDI_ARCHIVE: 'web1', MINDI_RESULT: 'success' };
    const run = (more = {}) => execaSync(words?.[0] ?? '', words?.slice(1) ?? [], { env: { ...env, ...more } }).stdout;
    expect(run()).toBe('image 1\nis 1\nimage 2\nis 2');
    expect(run({ MINDI_RESULT: 'failure' })).toBe('');
    expect(wrong('-O', '-o', '-d', at('drive'), '-A', 'cat _ISO_')).toEqual([
      '-A names images, and only -i makes images here',
    ]);
  });

  test('the profile that is shown is one that mindi reads', async () => {
    const call = [
      '-OVi',
      '-k',
      'FAILSAFE',
      '-s',
      '4480m,650m',
      '-E',
      `${at('a b')}|*.iso`,
      '-T',
      at('c'),
      '-HGp',
      'web1',
    ];
    const text = profileText(meant(...call));
    expect(text).toContain(`# TMPDIR=${at('c')} mindi archive web1.yaml\n`);
    writeFileSync(at('web1.yaml'), text);
    expect(await loadProfile(at('web1.yaml'))).toMatchObject({
      name: 'web1',
      kernel: 'failsafe',
      archive: { exclude: [at('a b'), '*.iso', at('c')], volume: ['4480m', '650m'], compression: 'gzip', verify: true },
    });
  });
});

describe('what is wrong', () => {
  test('all of it at once', () => {
    expect(
      wrong('-O', '-O', '-i', '-n', 'x', '-d', 'rel', '-Z', '-x', '/dev/sda1', 'foo', '-s', '12q', '-p', '-'),
    ).toEqual([
      '-O is there twice',
      'there is no option -Z',
      '-x (images of NTFS devices) there is no longer',
      '"foo" belongs to no option',
      '-i and -n exclude each other: a set is written to one kind of media',
      '-d has rel, which is relative',
      '-p has -, which names no set',
      '-s has "12q", which is no size',
    ]);
  });

  test.each(CONTRADICTIONS.flatMap(({ one, others, why }) => [...others].map((other) => ({ one, other, why }))))(
    '-$one with -$other: $why',
    ({ one, other, why }) => {
      const words = [one, other].flatMap((letter) => {
        const option = CLASSIC_OPTIONS.find((known) => known.letter === letter);
        return option?.value ? [`-${letter}`, '1'] : [`-${letter}`];
      });
      expect(wrong('-O', '-i', ...words)).toContain(`-${one} and -${other} exclude each other: ${why}`);
    },
  );

  test('nothing to do, nowhere to, no value, several levels, files that are not there', () => {
    expect(wrong('-N')).toEqual(['it is not said what to write to', 'it is not said what to do']);
    expect(wrong('-Ois')).toEqual(['-s needs SIZES after it']);
    expect(wrong('-OiE', '-N')).toEqual(['-E needs PATHS after it']);
    expect(wrong('-Oi19')).toEqual(['there are several levels: -1 -9']);
    expect(wrong('-Oi', '--O')).toEqual(['there is no option --O']);
    expect(wrong('-OiI', '/not/there', '-k', '/nor/there').join()).toMatch(
      /nor\/there is no kernel.*\/not\/there, which is not there/,
    );
    expect(wrong('-Ou')).toEqual(['-u needs -d, the device it writes to']);
    expect(wrong('-Ot', '-d', '/dev/no-tape', '-b', '513').join()).toMatch(
      /no \/dev\/no-tape.*513, which is no block size/,
    );
  });

  test('any words are answered', () => {
    const word = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom(...CLASSIC_OPTIONS.map(({ letter }) => `-${letter}`)),
    );
    fc.assert(fc.property(fc.array(word, { maxLength: 6 }), (argv) => void wrong(...argv)));
  });
});

test('-Q tells the boot loader', () => {
  expect(bootLoader(work)).toBeUndefined();
  mkdirSync(at('boot/grub'));
  writeFileSync(at('boot/grub/grub.cfg'), '');
  expect(bootLoader(work)).toBe('GRUB');
});

test('without options and without a terminal: help, exit 2', async () => {
  const env = { MINDI_LOG: at('log') };
  const { exitCode, stdout, stderr } = await execa(resolve('bin/mondoarchive'), {
    reject: false,
    stdin: 'ignore',
    env,
  });
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  expect(stderr).toMatch(/^Usage: mondoarchive[\s\S]*-n <SERVER:\/PATH>[\s\S]*Examples:/);
});

test('docs/mondoarchive.md is the table', async () => {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const groups = OPTION_GROUPS.map(({ title, options }) => ({
    title,
    options: options.map(({ letter, value, about, profile, gone, refused }) => ({
      name: cell(`-${letter}${value ? ` ${value}` : ''}`),
      about: cell(
        refused ? `${about}: refused. Instead, ${refused}` : gone ? `${about}: nothing any more, ${gone}` : about,
      ),
      profile: profile ? `\`${profile}\`` : '',
    })),
  }));
  const contradictions = CONTRADICTIONS.map(({ one, others, why }) => ({
    options: [...others].map((other) => `\`-${one}\` with \`-${other}\``).join(', '),
    why,
  }));
  const page = await render('mondoarchive.md', { groups, contradictions });
  await expect(page).toMatchFileSnapshot(join(import.meta.dirname, '../../docs/mondoarchive.md'));
});
