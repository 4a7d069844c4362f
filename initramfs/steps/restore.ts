import { type Boot, type Step, tell } from '../boot.ts';
import { fail } from '../fail.ts';
import { runHooks } from '../hooks.ts';

/** Nuke mode's own stage: what nobody is asked about. The other modes begin at the menu. */
export const restore: Step = {
  name: 'restore',
  async run(boot) {
    if (boot.mode !== 'nuke' || boot.parameters.check) return;
    if (boot.config.ownRestore) return byOtherTool(boot);
    const reason = cannotRestore(boot) ?? (await runHooks(boot, 'pre'));
    if (reason) return fail(boot, reason);
    tell(boot, 'nothing is restored');
    const failure = await runHooks(boot, 'post');
    await fail(boot, failure ?? 'This version does not restore yet: the disks are left as they are.');
  },
};

/** Nuke mode is what confirms it. */
async function byOtherTool(boot: Boot): Promise<void> {
  const { ownRestore } = await import('../other-tools/by-init.ts');
  const failure = cannotRestore(boot) ?? (await ownRestore(boot, true));
  if (failure) return fail(boot, failure);
  tell(boot, 'the restore is done');
}

function cannotRestore({ config, medium, trusted, sticks }: Boot): string | null {
  if (config.stage2 && medium === null)
    return 'Nothing can be restored: the second stage with its tools was not found.';
  const wrong = sticks.find((stick) => stick.config === false);
  if (wrong)
    return `Nothing is restored: mindi/config.yaml on ${wrong.device} is wrong, and may have said something else.`;
  return trusted === false ? 'Nothing is restored: this medium is not what was built.' : null;
}
