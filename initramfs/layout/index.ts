/** What `mindi layout` and `mindi restore apply` do: a program of its own, because the init never needs it. */
export { runApply } from './apply.ts';
export { runLayout } from './show.ts';
