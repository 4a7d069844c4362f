import { withoutPassword } from '../../contract/command-line.ts';
import type { Boot } from '../boot.ts';
import { openOrAsk } from '../sources/ask.ts';
import { findSources, SOURCES } from '../sources/index.ts';
import type { OpenSource } from '../sources/source.ts';
import type { Entry, Session } from './session.ts';

export const sourceEntry: Entry = {
  name: 'source',
  key: 'o',
  text: 'Open the restore source',
  state: ({ boot, source }) => sourceText(boot, source),
  run: chooseSource,
};

/** For people: which restore source there is. */
export function sourceText({ config, source }: Pick<Boot, 'config' | 'source'>, open: OpenSource | null): string {
  if (open) return `${open.name}${open.path ? `, read-only in ${open.path}` : ''}`;
  if (source?.failure === null) return `${source.address}${source.path ? `, read-only in ${source.path}` : ''}`;
  return config.restore.source ? `${withoutPassword(config.restore.source)}, not open yet` : 'none chosen yet';
}

async function chooseSource(session: Session): Promise<void> {
  const { boot, context, screen } = session;
  const profile = boot.config.restore.source;
  const found = await findSources(context);
  const addresses = [...new Set([...(profile ? [profile] : []), ...found])];
  const choices = [
    ...addresses.map((address) => ({ value: address, text: address === profile ? 'As the profile says' : address })),
    ...SOURCES.map(({ name, about, schemes }) => ({
      value: `kind ${schemes[0]}`,
      text: `${name.padEnd(18)} ${about}`,
    })),
  ];
  const chosen = await screen.choose('Where are the restore data?', choices);
  const [, kind] = /^kind (.*)$/.exec(chosen) ?? [];
  const address = kind ? await screen.enter('The address of the restore data', { preset: `${kind}:` }) : chosen;
  await session.source?.close();
  session.source = null;
  session.source = await openOrAsk(address, context);
}
