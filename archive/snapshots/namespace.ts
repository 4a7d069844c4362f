import { join } from 'node:path';
import { run, start } from '../../builder/run.ts';

/** A place where only this run sees what is mounted: the kernel unmounts it all when the process that holds it ends. */
export interface MountNamespace {
  /** The directory `tree` as it is in there, for whoever is outside. */
  root: string;
  /** mount(8) with these words and a directory below `tree`. */
  mount: (words: readonly string[], target: string) => Promise<void>;
  end: () => Promise<void>;
  /** The same while the process ends. */
  kill: () => void;
}

/**
 * Mount points of this run's own: unshare(1) makes the namespace, cat holds it as long as its standard input is open.
 * @param tree a directory, where the machine is shown as its snapshots have it
 */
export async function mountNamespace(tree: string): Promise<MountNamespace> {
  const holder = start('unshare', ['--mount', '--propagation', 'private', 'cat']);
  holder.stdin.write('.');
  // cat answers: it is in the namespace.
  const there = new Promise<void>((resolve) => holder.stdout.once('data', () => resolve()));
  await Promise.race([there, holder.ended]);
  const pid = String(holder.pid);
  return {
    root: join('/proc', pid, 'root', tree),
    mount: async (words, target) => {
      await run('nsenter', ['--target', pid, '--mount', 'mount', ...words, join(tree, target)]);
    },
    end: async () => {
      holder.stdin.end();
      await holder.ended;
    },
    kill: () => process.kill(Number(pid), 'SIGKILL'),
  };
}
