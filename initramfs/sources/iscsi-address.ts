import { placeOf } from './address.ts';
import { SourceError } from './source.ts';

/** A disk of an iSCSI target, and a directory on it. */
export interface IscsiPlace {
  /** Without the brackets of IPv6. */
  host: string;
  port: number;
  /** `iqn.2024-01.lan.example:store`. */
  target: string;
  /** null: whichever comes first. */
  lun: number | null;
  folder: string;
  /** What this machine calls itself; null: as the medium says, or a name made up. */
  initiator: string | null;
}

const PORT = 3260;
const TARGET = String.raw`(?:iqn|eui|naa)\.[a-z0-9.:_-]+`;
/** RFC 4173: `iscsi:SERVER:PROTOCOL:PORT:LUN:TARGET`, of which all but server and target may be left out. */
const RFC_4173 = new RegExp(String.raw`^(\[[0-9a-f:]+\]|[^:/@]+):6?:(\d*):([0-9a-f-]*):(${TARGET})(/.*)?$`, 'i');
const PATH = new RegExp(String.raw`^/(${TARGET})(?:/(\d+)(/.*)?)?/?$`, 'i');

/**
 * `iscsi:SERVER::PORT:LUN:TARGET` as RFC 4173 has it, and `iscsi://[USER[:PASSWORD]@]SERVER[:PORT]/TARGET[/LUN[/PATH]]`;
 * `?initiator=NAME` for both.
 * @throws SourceError when it is neither
 */
export function parseIscsi(address: URL): IscsiPlace {
  const initiator = /^[\w.:-]+$/.exec(address.searchParams.get('initiator') ?? '')?.[0] ?? null;
  const { hostname, port } = address;
  if (hostname) {
    const [, target, lun, folder = '/'] = PATH.exec(placeOf(address)) ?? [];
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    if (target) return { host, port: Number(port) || PORT, target, lun: lun ? Number(lun) : null, folder, initiator };
  }
  const [, host, ownPort, lun = '', target, folder = '/'] = RFC_4173.exec(placeOf(address)) ?? [];
  if (!host || !target)
    throw new SourceError(
      'The address names no disk of an iSCSI target.',
      'Write it as iscsi:server::3260:1:iqn.2024-01.lan.example:store or iscsi://user@server/iqn.2024-01.lan.example:store/1.',
    );
  // Of the four groups of a LUN only the first is ever used by disks.
  const number = lun ? Number.parseInt(lun.split('-')[0] ?? '', 16) : null;
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: Number(ownPort) || PORT,
    target,
    lun: number,
    folder,
    initiator,
  };
}
