import type { Encrypted } from '../contract/layout/schema.ts';
import type { Block } from './block.ts';
import { type Context, positive, said } from './context.ts';
import { linesOf, parsed } from './machine.ts';

/** LUKS: what is in the headers, no key and nothing a key is made from. */
export async function captureEncrypted(context: Context): Promise<void> {
  for (const block of context.blocks) {
    if (block.type === 'crypt' && block.parents.every(({ content }) => content !== 'crypto_LUKS'))
      context.note(block.id, 'is encrypted without a LUKS header on the same device');
    if (block.content !== 'crypto_LUKS') continue;
    const open = block.children.find(({ type }) => type === 'crypt');
    const id = open?.id ?? `luks-${block.uuid}`;
    const header = (await version2(context, block)) ?? (await version1(context, block));
    if (header) context.layout.encrypted[id] = header;
    else context.note(block.id, 'has a LUKS header that cryptsetup does not read');
    if (header && !open) {
      context.locked.push(id);
      context.note(id, 'is locked: what is in it is not known');
    }
    for (const { type } of header?.tokens ?? [])
      context.note(
        id,
        `was unlocked by ${type}, which is bound to that machine or header: bind the new one after a restore`,
      );
  }
}

interface Metadata {
  keyslots: Record<string, { key_size: number; kdf?: { type: string }; af?: { hash?: string } }>;
  tokens: Record<string, { type: string; keyslots: string[] }>;
  segments: Record<string, { type: string; offset: string; encryption?: string; sector_size?: number }>;
}

async function version2({ machine, note }: Context, block: Block): Promise<Encrypted | null> {
  const { code, stdout } = await machine.run('cryptsetup', ['luksDump', '--dump-json-metadata', block.path]);
  const metadata = code === 0 ? (parsed(stdout) as Metadata | null) : null;
  if (!metadata) return null;
  const [segment, ...more] = Object.values(metadata.segments);
  if (more.length > 0 || segment?.type !== 'crypt')
    note(block.id, 'is being encrypted anew, or is more than one segment');
  const slots = Object.entries(metadata.keyslots);
  const [, first] = slots[0] ?? [];
  return said({
    on: block.id,
    version: 2 as const,
    uuid: block.uuid,
    label: block.label,
    cipher: segment?.encryption,
    keyBits: first && first.key_size * 8,
    hash: first?.af?.hash,
    sectorSize: segment?.sector_size,
    offset: positive(segment?.offset),
    keyslots: slots.flatMap(([slot, { kdf }]) => (kdf ? [{ slot: Number(slot), kdf: kdf.type }] : [])),
    tokens: Object.values(metadata.tokens).map(({ type, keyslots }) => ({ type, keyslots: keyslots.map(Number) })),
  }) as Encrypted;
}

async function version1({ machine }: Context, block: Block): Promise<Encrypted | null> {
  const { code, stdout } = await machine.run('cryptsetup', ['luksDump', block.path]);
  const facts = linesOf(stdout, /:/);
  if (code !== 0 || facts.get('Version') !== '1') return null;
  const slots = [...stdout.matchAll(/^Key Slot (\d+): ENABLED/gm)].map((match) => Number(match[1]));
  return said({
    on: block.id,
    version: 1 as const,
    uuid: block.uuid,
    cipher: `${facts.get('Cipher name')}-${facts.get('Cipher mode')}`,
    keyBits: positive(facts.get('MK bits')),
    hash: facts.get('Hash spec'),
    offset: (positive(facts.get('Payload offset')) ?? 0) * 512,
    keyslots: slots.map((slot) => ({ slot, kdf: 'pbkdf2' })),
  });
}
