import { resolve } from 'node:path';
import { KEY_LINE } from '../../contract/authorized-keys.ts';
import { INHERITED } from '../../contract/settings/fields.ts';
import type { Located } from '../../contract/settings/yaml.ts';

/** Values that are paths always, and those that may also be a name (of a package, a set, a program). `*`: any item, any key. */
const PATHS: { path: string[]; or?: Pick<RegExp, 'test'> }[] = [
  { path: ['kernel', 'image'] },
  { path: ['kernel', 'modules'] },
  { path: ['kernel', 'package'], or: /\/|\.(deb|rpm|apk|pkg\.tar(\.\w+)?)$/ },
  { path: ['kernel', 'package', '*'], or: /\/|\.(deb|rpm|apk|pkg\.tar(\.\w+)?)$/ },
  { path: ['mountlist', 'file'] },
  { path: ['drivers', 'sets', '*'], or: /\/|\.ya?ml$/ },
  { path: ['drivers', 'hardware', '*'], or: /^(?!\.\.\.$)/ },
  { path: ['drivers', 'migrateTo', '*'], or: /\.ya?ml$/ },
  { path: ['drivers', 'firmware', 'from', '*'], or: /\/|\.(deb|rpm|apk|pkg\.tar(\.\w+)?)$/ },
  { path: ['tools', 'sets', '*'], or: /\/|\.ya?ml$/ },
  { path: ['tools', 'include', '*'], or: /\// },
  { path: ['access', 'authorizedKeys', '*'], or: { test: (text) => text !== INHERITED && !KEY_LINE.test(text) } },
  { path: ['restore', 'files', '*'] },
  { path: ['restore', 'before', '*'], or: /^(?!\.\.\.$)/ },
  { path: ['restore', 'after', '*'], or: /^(?!\.\.\.$)/ },
  { path: ['access', 'secrets', '*'], or: /\// },
  { path: ['restore', 'passwordFile'] },
  { path: ['restore', 'keyFile'] },
  { path: ['network', 'authorities', '*'], or: /^(?!\.\.\.$)/ },
  { path: ['archive', 'to', 'directory'] },
  { path: ['archive', 'before', '*'], or: /^(?!\.\.\.$)/ },
  { path: ['archive', 'after', '*'], or: /^(?!\.\.\.$)/ },
  { path: ['archive', 'to', 'iso'], or: /^(?!\w[\w+.-]*:)/ },
  { path: ['archive', 'to', 'credentials'] },
  { path: ['archive', 'to', 'repository'], or: /^\.{0,2}\// },
  { path: ['archive', 'to', 'passwordFile'] },
  { path: ['archive', 'to', 'environment', '*'], or: /^\.{1,2}\// },
  { path: ['archive', 'scratch'] },
  { path: ['archive', 'encryption', 'age', '*'], or: /^(?!\.\.\.$|age1)/ },
  { path: ['archive', 'encryption', 'passphraseFile'] },
  { path: ['trust', 'publicKey'], or: /^(?!RW[A-Za-z0-9+/]{54}$|ssh-)/ },
];

/** The tree of one file with its relative paths made absolute, from the directory of that file. */
export function absolutePaths(root: Located, directory: string): Located {
  return PATHS.reduce(
    (tree, { path, or }) =>
      change(tree, path, (text) => (or === undefined || or.test(text) ? resolve(directory, text) : text)),
    root,
  );
}

function change(node: Located, path: readonly string[], to: (text: string) => string): Located {
  const [step, ...rest] = path;
  const { value } = node;
  if (step === undefined) return typeof value === 'string' ? { ...node, value: to(value) } : node;
  if (step === '*' && Array.isArray(value)) return { ...node, value: value.map((item) => change(item, rest, to)) };
  if (!(value instanceof Map)) return node;
  const children = [...(value as Map<string, Located>)].map(([key, child]): [string, Located] => [
    key,
    step === '*' || step === key ? change(child, rest, to) : child,
  ]);
  return { ...node, value: new Map(children) };
}
