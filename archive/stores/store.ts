import type { VolumeFile } from '../targets/target.ts';

/** A server that takes and gives files one by one. One file each in this folder. */
export interface Store {
  /** For people: its address, without password. */
  name: string;
  /** Where a file of it is, by its path below the address. */
  url(path: string): URL;
  /** What goes with a request. @param sha256 hex, of the body */
  headers(method: 'GET' | 'PUT', url: URL, sha256: string): Record<string, string>;
  /** What the server's refusal means, where the store knows more than its number. */
  refusal(status: number, body: string): [message: string, hint: string] | undefined;
}

/** What is put: a file, or text. */
export type Body = Pick<VolumeFile, 'path' | 'size' | 'sha256'> | Buffer;

/** As in a URL, its slashes as they are. */
export const encodePath = (path: string) => path.split('/').map(encodeURIComponent).join('/');
