import { MindiError } from '../../contract/error.ts';
import { httpStore } from './http.ts';
import { s3Store } from './s3.ts';
import type { Store } from './store.ts';

const STORES = [
  { schemes: /^https?:/, open: httpStore },
  { schemes: /^s3(\+https?)?:/, open: s3Store },
] as const;

/** Whether an address is of a server that takes files one by one. */
export const isStore = (text: string): boolean =>
  URL.canParse(text) && STORES.some(({ schemes }) => schemes.test(text));

/** @throws MindiError `store.address`, `archive.credentials` */
export async function openStore(text: string, credentials: string | undefined): Promise<Store> {
  const kind = URL.canParse(text) ? STORES.find(({ schemes }) => schemes.test(text)) : undefined;
  if (kind) return kind.open(new URL(text), credentials);
  throw new MindiError('this is no address of a server mindi knows', {
    code: 'store.address',
    where: text,
    hint: 'As https://server/bkp, s3://bucket/web01 or nfs://server/bkp.',
  });
}
