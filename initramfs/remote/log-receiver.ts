import { hostname } from 'node:os';
import { nics } from '../hardware.ts';
import { put } from '../http.ts';
import { hostOf } from '../sources/server.ts';
import { type Connect, sendLines, tcp, udp } from './syslog.ts';

/** Someone who takes the log. */
export interface LogReceiver {
  /** Its address without user and password. */
  name: string;
  /** Whether it is given the whole log each time, instead of what is new. */
  whole: boolean;
  /**
   * @param text whole lines
   * @throws Error whose message says why they were not taken
   */
  send(text: Buffer): Promise<void>;
}

/** Seconds without a byte after which a web server is given up. */
const STALL = 20;
/** syslog's port for both (RFC 5426; for TCP it is what servers listen at). */
const SYSLOG_PORT = 514;

const SYSLOG: Readonly<Record<string, Connect>> = { 'syslog:': udp, 'syslog+udp:': udp, 'syslog+tcp:': tcp };

/**
 * Who is meant by `mindi.log=`: http and https (PUT; an address that ends in / is a folder, to which a name of this
 * machine's is added), syslog and syslog+udp, syslog+tcp. Null for what is no such address.
 * @param medium the medium's name, a part of the file's in a folder
 */
export function logReceiver(address: string, medium: string): LogReceiver | null {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url?.hostname) return null;
  const connect = SYSLOG[url.protocol];
  if (connect) {
    const port = Number(url.port) || SYSLOG_PORT;
    const connection = connect(hostOf(url), port);
    const name = `${url.protocol}//${url.hostname}:${port}`;
    return { name, whole: false, send: (text) => sendLines(connection, text.toString()) };
  }
  if (!/^https?:$/.test(url.protocol)) return null;
  if (url.pathname.endsWith('/')) url.pathname += fileName(medium);
  const name = `${url.origin}${url.pathname}`;
  return { name, whole: true, send: (text) => put(url, text, { stall: STALL }) };
}

/** Of this machine alone, in a folder where others put theirs: `standalone-52-54-00-12-34-56.log`. */
function fileName(medium: string): string {
  const mac = nics()[0]?.mac.replaceAll(':', '-') ?? hostname();
  return encodeURIComponent(`${medium}-${mac}.log`);
}
