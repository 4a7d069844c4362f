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
export async function openStore(text: string, credentials: string | undefined): Promise<Store | undefined> {
  const kind = URL.canParse(text) ? STORES.find(({ schemes }) => schemes.test(text)) : undefined;
  return kind?.open(new URL(text), credentials);
}
