import { Command } from 'commander';
import { answer, answerJson, talk } from './output.ts';

const EXAMPLES = `
Examples:
  mindi new                 writes HOSTNAME.yaml here
  mindi new rescue.yaml     writes rescue.yaml; a file that is there is never overwritten`;

/** `mindi new [FILE]`: a commented starter profile for this machine. */
export function newCommand(): Command {
  return new Command('new')
    .description('write a commented starter profile for this machine')
    .argument('[file]', 'where to; HOSTNAME.yaml in this directory when not given')
    .option('--json', 'answer as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (file: string | undefined, { json }: { json?: boolean }) => {
      const { createStarter, profileName, thisMachine } = await import('../builder/profile/starter.ts');
      const machine = thisMachine();
      const name = profileName(machine.host);
      const written = { file: file ?? `${name}.yaml`, name, kernel: machine.found?.path ?? null };
      await createStarter(written.file, machine);
      if (json) answerJson(written);
      else answer(written.file);
      talk(nextSteps(written));
    });
}

/** What was written; `kernel` is the image of the running kernel, null when there is none. */
interface Written {
  file: string;
  name: string;
  kernel: string | null;
}

function nextSteps({ file, name, kernel }: Written): string {
  return [
    kernel ? `It takes this machine's kernel, ${kernel}.` : "This machine shows no kernel image: it takes mindi's own.",
    'Next: look through it, then',
    `  mindi plan ${file}     what would be on the medium, and why`,
    `  mindi build ${file}    makes out/${name}/${name}.iso`,
    `  mindi boot out/${name}/${name}.iso    tries it in QEMU`,
  ].join('\n');
}
