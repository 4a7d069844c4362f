/**
 * Fields of the profile that say how the rescue system behaves, as opposed to what is on it. Its whole schema
 * (builder/profile/schema.ts) takes them in.
 */
import { RESTORE_MODES } from '../rescue-config.ts';
import { type Fields, Type } from './type.ts';

/** No other keys than those listed. */
export const closed = { additionalProperties: false } as const;

/** As an item of a list: the items of what it overrides. */
export const INHERITED = '...';

export const strings = (description: string) =>
  Type.Array(Type.String({ minLength: 1 }), { description: `${description}; "${INHERITED}" stands for the inherited` });
export const text = (description: string, options: object = {}) =>
  Type.String({ minLength: 1, description, ...options });
export const textOrNull = (description: string, options: object = {}) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], minLength: 1, description, ...options });
export const section = <T extends Fields>(description: string, fields: T) =>
  Type.Optional(Type.Object(fields, { ...closed, description }));

/** Of the section `restore`. */
export const RESTORE_FIELDS = {
  mode: Type.Optional(
    Type.Enum([...RESTORE_MODES], {
      description: 'interactive asks, nuke restores without asking, compare writes nothing, expert gives a shell',
    }),
  ),
  source: Type.Optional(textOrNull('where the restore data are, a URL; null: asked at boot')),
  hostKey: Type.Optional(
    textOrNull('fingerprint of the key of the SFTP server that has them, as ssh-keygen -l tells it; null: asked', {
      pattern: '^SHA256:[A-Za-z0-9+/]{43}=?$',
    }),
  ),
};

/** Of the section `network`. */
export const NETWORK_FIELDS = {
  ip: Type.Optional(
    Type.Union([text('one card'), Type.Array(text('one card'), { description: 'several cards' })], {
      description:
        'how the network is set up at boot, in the words of the boot parameter ip=: none, dhcp, NIC:dhcp, auto6, CLIENT::GATEWAY:NETMASK:HOSTNAME:NIC:none; a list for several cards',
    }),
  ),
  vlan: Type.Optional(strings('VLANs of cards: vlan5:eth0')),
  bond: Type.Optional(strings('bonds of cards: bond0:eth0,eth1:mode=active-backup,miimon=100')),
  nameserver: Type.Optional(strings('addresses of name servers, beside those that DHCP tells')),
  ntp: Type.Optional(strings('time servers, beside those that DHCP tells; the clock is set from them')),
};

/** Of the section `access`. */
export const keymap = (description: string, pattern = '') =>
  Type.Optional(textOrNull(description, { pattern: `^${pattern}[A-Za-z0-9][A-Za-z0-9._-]*$` }));
export const statusPage = Type.Optional(
  Type.Boolean({ description: 'show the first screen over HTTP, to everybody on the network, read-only' }),
);
