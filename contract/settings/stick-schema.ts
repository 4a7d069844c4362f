import { closed, keymap, NETWORK_FIELDS, RESTORE_FIELDS, section, statusPage } from './fields.ts';
import { type Static, Type } from './type.ts';

/** A stick's mindi/config.yaml (docs/stick.md). What it does not say is as in the profile. */
export const StickSchema = Type.Object(
  {
    restore: section('what the medium does when it is up', RESTORE_FIELDS),
    network: section('the network of the rescue system', NETWORK_FIELDS),
    access: section('how a person gets at the rescue system', {
      keymap: keymap('console keymap, e.g. de-latin1; null: the kernel’s own (us)', '(?!host$)'),
      statusPage,
    }),
  },
  closed,
);
export type StickSettings = Static<typeof StickSchema>;
