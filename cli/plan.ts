import { Command } from 'commander';
import type { Entry, Manifest, Reason } from '../contract/manifest.ts';
import { mediumParts } from './engine.ts';
import { answer, answerJson, paint, size, table, talk } from './output.ts';

/** `mindi plan PROFILE`. */
export function planCommand(): Command {
  return new Command('plan')
    .description('show every file that would be on the media, why it is there, its size and hash; write nothing')
    .argument('<profile>', 'a built-in profile (standalone, usb, minimal) or a YAML file')
    .option('--json', 'print the manifest as JSON')
    .addHelpText(
      'after',
      `
Examples:
  mindi plan standalone | grep megaraid                       which of them, and why
  mindi plan web1.yaml --json > before.json                   keep it, change the profile, compare`,
    )
    .action(async (profileName: string, options: { json?: boolean }) => {
      const [{ loadProfile }, { gather }, { plan }] = await Promise.all([
        import('../builder/profile/load.ts'),
        import('../builder/gather.ts'),
        import('../builder/plan.ts'),
      ]);
      const note = (text: string) => talk(`mindi: note: ${text}`);
      const { profile } = await mediumParts(await loadProfile(profileName), note);
      const inputs = await gather(profile, note);
      for (const { path, kind } of inputs.secrets.forbidden) {
        talk(`mindi: note: ${path} holds ${kind}: a build refuses it unless access.secrets names it`);
      }
      const { manifest } = plan(inputs);
      if (options.json) answerJson(manifest);
      else answer(manifestTable(manifest));
    });
}

function manifestTable(manifest: Manifest): string {
  const { kernel } = manifest;
  const head = `${manifest.name}: kernel ${kernel.release} (${kernel.origin}, ${size(kernel.size)})`;
  const parts = manifest.segments.map(({ name, format, onMedium, entries }) => {
    const bytes = entries.reduce((sum, entry) => sum + bytesOf(entry), 0);
    const place = onMedium ?? (format === 'cpio' ? 'initrd' : 'embedded');
    const title = paint('bold', `${name} (${place}): ${entries.length} entries, ${size(bytes)}`);
    return `${title}\n${table(entries.map(row), [1])}`;
  });
  return [head, ...parts].join('\n\n');
}

function row(entry: Entry): string[] {
  const [reason] = entry.why;
  return [shown(entry), bytesOf(entry) > 0 ? size(bytesOf(entry)) : '', hash(entry), reason ? because(reason) : ''];
}

function shown(entry: Entry): string {
  if (entry.type === 'directory') return `${entry.path}/`;
  if (entry.type === 'symlink') return `${entry.path} -> ${entry.target}`;
  return entry.path;
}

const bytesOf = (entry: Entry) => (entry.type === 'file' ? entry.size : 0);
const hash = (entry: Entry) => (entry.type === 'file' ? entry.sha256.slice(0, 12) : '');

/** `drivers.sets: scsi > mpt3sas > raid_class (hard)`. */
function because({ rule, via = [], kind }: Reason): string {
  const chain = [rule, ...via].join(' > ');
  return kind && kind !== 'named' ? `${chain} (${kind})` : chain;
}
