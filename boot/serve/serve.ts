import { realpath } from 'node:fs/promises';
import { MindiError } from '../../contract/error.ts';
import { firstFiles } from '../netboot.ts';
import { startDnsmasq } from './dnsmasq.ts';
import { checkFolder, checkReadable } from './folder.ts';
import { startHttp } from './http.ts';
import { choosePlace } from './place.ts';

export interface ServeOptions {
  folder: string;
  interface?: string | undefined;
  /** Address to listen at. */
  listen?: string | undefined;
  httpPort: number;
  httpOnly: boolean;
  /** `FIRST,LAST` to give addresses; null to leave that to the network's own DHCP server. */
  range: string | null;
  log: (line: string) => void;
}

/** What is served, and where. */
export interface Served {
  folder: string;
  url: string;
  /** Address of the TFTP server, and what machines load from it; null with httpOnly. */
  tftp: { address: string; bios: string; uefi: string } | null;
  /** `proxy`, the range of addresses, or null. */
  dhcp: string | null;
  interface: string;
}

export interface Serving extends Served {
  /** Resolves when a server ends by itself. */
  ended: Promise<void>;
  stop(): Promise<void>;
}

/**
 * A boot server for a lab: HTTP, and dnsmasq for DHCP and TFTP, on one network card.
 * @throws MindiError `serve.*`, `tool.missing`
 */
export async function serve(options: ServeOptions): Promise<Serving> {
  const first = firstFiles(await checkFolder(options.folder));
  const folder = await realpath(options.folder);
  const place = await choosePlace(options.interface, options.listen);
  const { httpOnly, range, log } = options;
  if (!httpOnly) await checkDhcp(folder, range);
  const http = await startHttp({ folder, address: place.server, port: options.httpPort, log });
  const closeHttp = async () => {
    http.close();
    http.closeAllConnections();
  };
  const dnsmasq = httpOnly
    ? null
    : await startDnsmasq({ folder, place, range, url: http.url, first, log }).catch(async (error: unknown) => {
        await closeHttp();
        throw error;
      });
  const { bios } = first;
  const uefi = range === null ? first.uefiElse : first.uefi;
  return {
    folder,
    url: http.url,
    tftp: dnsmasq && { address: place.server, bios, uefi },
    dhcp: dnsmasq && (range ?? 'proxy'),
    interface: place.interface,
    ended: dnsmasq?.ended ?? new Promise(() => {}),
    stop: async () => void (await Promise.all([closeHttp(), dnsmasq?.stop()])),
  };
}

async function checkDhcp(folder: string, range: string | null): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new MindiError('DHCP and TFTP are for root', {
      code: 'serve.not-root',
      hint: 'Run it as root, or serve only files: --http-only --http-port 8080.',
    });
  }
  if (/[\s,#"]/.test(folder)) {
    throw new MindiError('dnsmasq cannot serve a folder with blanks or one of , # " in its name', {
      code: 'serve.folder-name',
      where: folder,
      hint: 'Copy it to another place, such as /srv/netboot.',
    });
  }
  if (range !== null && !/^\d+(\.\d+){3},\d+(\.\d+){3}$/.test(range)) {
    throw new MindiError(`${JSON.stringify(range)} is no range of addresses`, {
      code: 'serve.range',
      hint: 'Write the first and the last: --range 192.168.7.100,192.168.7.200.',
    });
  }
  await checkReadable(folder);
}
