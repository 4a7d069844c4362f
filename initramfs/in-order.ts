/**
 * Runs `load` for every name of the lists, once each and as much at once as can be, but never before those that stand
 * before it in any list. Of two drivers that take one device the first one listed shall have it (a USB network card's
 * first interface asks for cdc_ether and cdc_subset, its second for cdc_subset alone). The lists have depmod's order.
 */
export async function inOrder(
  lists: readonly (readonly string[])[],
  load: (name: string) => Promise<void>,
): Promise<void> {
  const before = new Map<string, Set<string>>();
  for (const list of lists) {
    for (const [i, name] of list.entries()) {
      before.set(name, new Set([...(before.get(name) ?? []), ...list.slice(0, i)]));
    }
  }
  const started = new Map<string, Promise<void>>();
  const start = (name: string): Promise<void> => {
    const known = started.get(name);
    if (known) return known;
    // Lists that contradict each other must not make it run in circles.
    started.set(name, Promise.resolve());
    const running = after([...(before.get(name) ?? [])].map(start), () => load(name));
    started.set(name, running);
    return running;
  };
  await Promise.all([...before.keys()].map(start));
}

async function after(these: readonly Promise<void>[], work: () => Promise<void>): Promise<void> {
  await Promise.all(these);
  await work();
}
