import { parseArgs } from 'node:util';
import { Unanswered } from '../person.ts';
import { commandContext } from './context.ts';
import type { Command } from './index.ts';

export const bugMe: Command = {
  name: 'bug-me',
  about: 'make a report for whoever helps: logs, hardware, state; without secrets',
  run: runBugMe,
};

const HELP = `mindi bug-me                   asks where the report shall go
mindi bug-me usb:              puts it on the USB stick that is plugged in; usb:/dev/sdb1 on that one
mindi bug-me http://server/x/  sends it there (PUT); what ends in / is a folder
mindi bug-me /tmp              writes it there
mindi bug-me --screen          shows a summary and its QR code instead
  --json                       tells what was made as JSON
`;

const OPTIONS = { screen: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const;

async function runBugMe(words: readonly string[]): Promise<number> {
  const call = parse(words);
  if (!call || call.values.help) {
    (call ? process.stdout : process.stderr).write(HELP);
    return call ? 0 : 2;
  }
  const context = commandContext();
  const [parts, { BugMeError }] = await Promise.all([import('../bug-me/bug-me.ts'), import('../bug-me/error.ts')]);
  try {
    const place = call.values.screen ? parts.ON_SCREEN : (call.place ?? (await parts.askPlace(context)));
    if (place === parts.ON_SCREEN) {
      process.stdout.write(await page(parts.summary(), context.parameters.textOnly));
      return 0;
    }
    const report = await parts.bugMe(context, place);
    process.stdout.write(`${call.values.json ? JSON.stringify(report) : parts.reportLines(report).join('\n')}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof BugMeError || error instanceof Unanswered)) throw error;
    process.stderr.write(`${error.message}\n${error instanceof BugMeError ? `${error.hint}\n` : ''}`);
    return 1;
  } finally {
    context.modules.rest();
  }
}

async function page(lines: readonly string[], plain: boolean): Promise<string> {
  if (plain) return `${lines.join('\n')}\n`;
  const { summaryPage } = await import('../bug-me/summary.ts');
  return summaryPage(lines);
}

/** Null when the call is wrong, and then it was told. */
function parse(words: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
    const [place, ...more] = positionals;
    if (more.length > 0 || (place && values.screen)) throw new Error('the report goes to one place');
    return { values, place };
  } catch (error) {
    process.stderr.write(`mindi bug-me: ${(error as Error).message}\n`);
    return null;
  }
}
