/** What boot loaders and people say of the network on the kernel command line. Any text gives an answer. */

/** The hardware address in BOOTIF=01-aa-bb-cc-dd-ee-ff (01: Ethernet), as Linux writes it; null for what is none. */
export function bootCard(bootif: string): string | null {
  const mac = /^(?:01[-:])?([0-9a-f]{2}(?:[-:][0-9a-f]{2}){5})$/i.exec(bootif)?.[1];
  return mac ? mac.toLowerCase().replaceAll('-', ':') : null;
}

/** Where a second stage can be fetched. */
export interface Location {
  scheme: 'http' | 'tftp' | 'nfs';
  /** Of the second stage, as people read it. */
  url: string;
  /** URL of the netboot folder, with a slash at its end. */
  base: string;
  host: string;
  /** Empty: the usual one. */
  port: string;
  /** Of the netboot folder, with a slash at its end. */
  folder: string;
  /** Of the second stage, in the folder. */
  file: string;
}

/**
 * A place as `mindi.stage2=` and `netboot.url` name it: the URL of the netboot folder, or of the second stage itself
 * when it ends in .squashfs, or of the script beside it that iPXE ran; `nfs:SERVER:/PATH` is an NFS URL, too. Null for
 * what is none.
 */
export function parseLocation(text: string, usual: string): Location | null {
  const plain = text.replace(/^nfs:(?!\/\/)([^:/]+):\//, 'nfs://$1/');
  const url = URL.canParse(plain) ? new URL(plain) : null;
  const scheme = /^(http|tftp|nfs)s?:$/.exec(url?.protocol ?? '')?.[1] as Location['scheme'] | undefined;
  const path = scheme === 'http' ? url?.pathname : decoded(url?.pathname ?? '');
  if (!url?.hostname || !scheme || path === null) return null;
  const { folder, file } = splitPath(path || '/', usual);
  const { hostname: host, port } = url;
  const base = `${url.protocol}//${url.host}${folder}`;
  return { scheme, url: `${base}${file}`, base, host, port, folder, file };
}

/** TFTP and NFS want the name itself; null for a path no server can have written. */
function decoded(path: string): string | null {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

function splitPath(path: string, usual: string): { folder: string; file: string } {
  if (path.endsWith('.ipxe')) return { folder: path.slice(0, path.lastIndexOf('/') + 1), file: usual };
  if (path.endsWith(`/${usual}`)) return { folder: path.slice(0, -usual.length), file: usual };
  if (!path.endsWith('.squashfs')) return { folder: path.endsWith('/') ? path : `${path}/`, file: usual };
  const slash = path.lastIndexOf('/') + 1;
  return { folder: path.slice(0, slash), file: path.slice(slash) };
}
