import type { Readable, Writable } from 'node:stream';
import { confirm, intro, isCancel, log, outro } from '@clack/prompts';
import fs from 'fs-extra';
import { MEDIA, type Medium } from '../builder/profile/schema.ts';
import { createStarter, profileName, type StarterFacts, thisMachine } from '../builder/profile/starter.ts';

/** What is asked for each medium there is, in the old tool's words, and the answer to expect. */
const MEDIUM_QUESTIONS: Record<Medium, { text: string; expected: boolean }> = {
  iso: { text: 'Shall I make a bootable CD image? (It also boots from a USB stick, by dd.)', expected: true },
  usb: { text: 'Shall I make a bootable USB image? (Files of yours can be put on the stick.)', expected: false },
  obdr: {
    text: 'Shall I make a bootable tape image? (For drives with One Button Disaster Recovery.)',
    expected: false,
  },
  netboot: { text: 'Shall I make a folder to start machines from over the network?', expected: false },
};

export interface WizardOptions {
  /** The terminal; stdin and stdout when not given. */
  input?: Readable;
  output?: Writable;
  machine?: StarterFacts;
  build?: (profile: string, options: { out: string }) => Promise<unknown>;
}

/** Ctrl-C or Escape. */
class Cancelled extends Error {}

/**
 * Bare `mindi` on a terminal: the few questions the old tool asked, a profile of the answers in this directory, and
 * the build. A profile already there is built as it is, or nothing happens.
 * @returns the exit code: 1 when the person did not want it.
 */
export async function wizard(options: WizardOptions = {}): Promise<number> {
  const { input, output, machine = thisMachine(), build = buildProfile } = options;
  const terminal = { input, output };
  const name = profileName(machine.host);
  const profile = `${name}.yaml`;
  intro('mindi: rescue media for this machine', terminal);
  try {
    if (!(await prepare(profile, machine, terminal))) {
      outro('Nothing was built.', terminal);
      return 1;
    }
  } catch (error) {
    if (!(error instanceof Cancelled)) throw error;
    outro('Nothing was written.', terminal);
    return 1;
  }
  outro(`Building into out/${name}`, terminal);
  await build(profile, { out: `out/${name}` });
  return 0;
}

type Terminal = Pick<WizardOptions, 'input' | 'output'>;

/** Sees to it that the profile is there. False when there is nothing to build. */
async function prepare(profile: string, machine: StarterFacts, terminal: Terminal): Promise<boolean> {
  if (await fs.pathExists(profile)) return ask(`${profile} is there already. Build it as it is?`, true, terminal);
  const kernel = await chooseKernel(machine, terminal);
  const media: Medium[] = [];
  for (const medium of MEDIA) {
    const { text, expected } = MEDIUM_QUESTIONS[medium];
    if (await ask(text, expected, terminal)) media.push(medium);
  }
  if (media.length === 0) return false;
  await createStarter(profile, { ...machine, kernel, media });
  log.success(`Your answers are in ${profile}; next time: mindi build ${profile}`, terminal);
  return true;
}

async function chooseKernel({ found }: StarterFacts, terminal: Terminal): Promise<StarterFacts['kernel']> {
  if (!found) {
    log.info("This machine shows no image of the kernel it runs: I use mindi's own.", terminal);
    return 'auto';
  }
  const question = `Do you want to use your own kernel (${found.path}) to build the boot disk?`;
  return (await ask(question, true, terminal)) ? 'auto' : 'failsafe';
}

async function ask(message: string, initialValue: boolean, terminal: Terminal): Promise<boolean> {
  const said = await confirm({ message, initialValue, ...terminal });
  if (isCancel(said)) throw new Cancelled();
  return said;
}

async function buildProfile(profile: string, options: { out: string }): Promise<unknown> {
  const { runBuild } = await import('./build.ts');
  return runBuild(profile, options);
}
