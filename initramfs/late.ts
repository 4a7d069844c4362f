import { type Context, tell } from './boot.ts';
import { loadForNewDevices, storageOnItsWay } from './coldplug.ts';
import { deviceEvent, eventNumber } from './settle.ts';

/** Milliseconds without any device event after which what is not there is given up, and the longest wait. */
const PATIENCE = 4000;
const LIMIT = 30_000;

/** What is waited for. */
export interface Late<T> {
  /** For people, told once when it is not there at once: "the medium". */
  what: string;
  /** Null: it is not there yet. Called again after each device event. */
  look: () => Promise<T | null>;
  /** Whether it may come without any sign of it: the whole limit is waited for. */
  hidden?: boolean;
}

/**
 * What may appear late: a slow bus, a stick that is plugged in now. Null when it does not come. The boot parameter
 * udevtimeout says how long it is waited for, come what may.
 */
export async function whenThere<T>(context: Context, { what, look, hidden = false }: Late<T>): Promise<T | null> {
  const asked = context.parameters.wait;
  const end = performance.now() + (asked === null ? LIMIT : asked * 1000);
  for (let told = false; ; told = true) {
    const before = eventNumber();
    await loadForNewDevices(context);
    const found = await look();
    const left = end - performance.now();
    if (found !== null || left <= 0) return found;
    if (!told) tell(context, `waiting for ${what}`);
    const patience = hidden || asked !== null || storageOnItsWay() ? left : Math.min(left, PATIENCE);
    if (!(await deviceEvent(before, patience))) return null;
  }
}
