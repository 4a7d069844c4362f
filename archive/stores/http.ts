import { readCredentials } from '../places/credentials.ts';
import { encodePath, type Store } from './store.ts';

/** `https://[USER@]SERVER/PATH[?QUERY]`: files are written by PUT. What stands after ? (a token) goes with each. */
export async function httpStore(address: URL, credentials: string | undefined): Promise<Store> {
  const known = credentials ? await readCredentials(credentials) : undefined;
  const user = address.username ? decodeURIComponent(address.username) : known?.username;
  const login = known && `Basic ${Buffer.from(`${user}:${known.password}`).toString('base64')}`;
  const base = `${address.origin}${address.pathname.replace(/\/*$/, '/')}`;
  return {
    name: base.replace(/\/$/, ''),
    url: (path) => new URL(`${base}${encodePath(path)}${address.search}`),
    headers: (): Record<string, string> => (login ? { Authorization: login } : {}),
    refusal: () => undefined,
  };
}
