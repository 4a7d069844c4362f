import { chosenSource } from '../../contract/boot-request.ts';
import { withoutPassword } from '../../contract/command-line.ts';
import { problem, type Step, tell } from '../boot.ts';
import { isRemote } from '../network/set-up.ts';
import { Unanswered } from '../person.ts';

/** Opens the source that the boot parameters or the profile name. */
export const source: Step = {
  name: 'source',
  async run(boot) {
    const text = chosenSource(boot.parameters, boot.config.restore.source);
    // The menu offers the profile's own; without a network it would only be waited for in vain.
    if (text === null || (!boot.parameters.source && !boot.network && isRemote(text))) return;
    const address = withoutPassword(text);
    const [{ openSource }, { SourceError }] = await Promise.all([
      import('../sources/index.ts'),
      import('../sources/source.ts'),
    ]);
    try {
      const { path, name, volumes } = await openSource(text, boot);
      boot.source = { address, path, volumes: await volumes(), failure: null };
      tell(boot, `the restore data are there: ${name}`);
    } catch (error) {
      if (!(error instanceof SourceError || error instanceof Unanswered)) throw error;
      boot.source = { address, path: null, volumes: [], failure: error.message };
      problem(boot, `${error.message}${error instanceof SourceError ? ` ${error.hint}` : ''}`);
    }
  },
};
