import { MindiError } from '../error.ts';
import { NETWORK_WORDS, type NetworkWords, noSetting } from '../network-setting.ts';
import { INHERITED } from './fields.ts';
import { type Located, nodeAt, plain } from './yaml.ts';

/** Fields of `network:` that are words of network-setting.ts. */
const FIELDS = ['ip', 'vlan', 'bond', 'nameserver', 'ntp'] as const;
type Said = Partial<Record<(typeof FIELDS)[number], string | string[]>>;

/** What the schema cannot see: words of the network that mean nothing, each at its file:line:column. */
export function checkNetwork(root: Located): MindiError[] {
  const network = ((plain(root) as { network?: unknown } | null)?.network ?? {}) as Said;
  return FIELDS.flatMap((field) => {
    const said = network[field];
    return [said ?? []].flat().flatMap((value, n) => {
      const wrong = typeof value === 'string' && value !== INHERITED ? NETWORK_WORDS[field](value, noSetting()) : null;
      if (wrong === null) return [];
      const place = nodeAt(root, ['network', field, ...(Array.isArray(said) ? [n] : [])]).place;
      return new MindiError(`network.${field} says ${JSON.stringify(value)}, which is not understood: ${wrong}`, {
        code: 'profile.network',
        where: place,
        hint: 'docs/network.md has the words.',
      });
    });
  });
}

/** The network as the rescue system reads it. */
export function networkWords(network: Said): NetworkWords {
  const words = FIELDS.map((field) => [field, [network[field] ?? []].flat()] as const);
  return Object.fromEntries(words.filter(([, values]) => values.length > 0));
}
