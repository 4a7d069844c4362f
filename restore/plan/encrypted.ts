import type { Encrypted, Layout } from '../../contract/layout/schema.ts';
import { options, type Step } from './step.ts';

/** A new header with a new key: the passphrase is asked for when the plan is carried out. */
export function encryptedSteps(layout: Layout, id: string, node: (id: string) => string): Step[] {
  const { on, version, uuid, label, subsystem, cipher, keyBits, hash, sectorSize, offset, keyslots } = layout.encrypted[
    id
  ] as Encrypted;
  const format = [
    ...['cryptsetup', 'luksFormat', '--batch-mode', '--type', `luks${version}`],
    ...options({
      '--uuid': uuid,
      '--label': label,
      '--subsystem': subsystem,
      '--cipher': cipher,
      '--key-size': keyBits,
      '--hash': hash,
      '--sector-size': sectorSize,
      '--offset': offset && offset / 512,
      '--pbkdf': version === 2 ? keyslots?.[0]?.kdf : undefined,
    }),
    ...['--key-file', '-', node(on)],
  ];
  const open = ['cryptsetup', 'open', '--key-file', '-', node(on), id];
  return [
    { kind: 'encrypt', device: id, argv: format, secret: id },
    {
      ...{ kind: 'encrypt', device: id, argv: open, secret: id },
      ...{ makes: [node(id)], holds: { node: node(id) }, undo: ['cryptsetup', 'close', id] },
    },
  ];
}
