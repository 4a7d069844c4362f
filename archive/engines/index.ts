import type { EngineName } from '../../contract/snapshot.ts';
import { borg } from './borg.ts';
import type { Engine } from './engine.ts';
import { restic } from './restic.ts';
import { rsync } from './rsync.ts';
import { tar } from './tar.ts';

/** Programs that archive for mindi. */
export const ENGINES: Readonly<Record<EngineName, Engine>> = { restic, borg, rsync, tar };
