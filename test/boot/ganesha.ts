import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Seconds; longer than it takes to start on a busy machine. */
const PATIENCE = 60;

/** An export that others may not write to, unless it says so. */
export interface Export {
  /** `/netboot` when not given. */
  name?: string;
  access?: 'RO' | 'RW';
}

/**
 * Starts an NFS server of one version, or both, in user space, that gives out a folder on 127.0.0.1. Returns what stops
 * it. Version 3 needs a portmapper.
 * @param work an empty folder for what the server writes
 */
export async function serveNfs(
  folder: string,
  version: 3 | 4 | '3, 4',
  port: number,
  work: string,
  as: Export = {},
): Promise<() => void> {
  const [config, log] = [join(work, 'ganesha.conf'), join(work, 'ganesha.log')];
  await writeFile(config, configuration(folder, `${version}`, port, work, as));
  const server = spawn('ganesha.nfsd', ['-F', '-f', config, '-L', log, '-p', join(work, 'ganesha.pid')]);
  const started = () => existsSync(log) && readFileSync(log, 'utf8').includes('NFS SERVER INITIALIZED');
  for (let tenths = 0; tenths < 10 * PATIENCE && !started(); tenths += 1) await sleep(100);
  if (started()) return () => server.kill('SIGKILL');
  server.kill('SIGKILL');
  throw new Error(`ganesha.nfsd did not start:\n${existsSync(log) ? readFileSync(log, 'utf8') : ''}`);
}

function configuration(
  folder: string,
  version: string,
  port: number,
  work: string,
  { name = '/netboot', access = 'RO' }: Export,
): string {
  return `NFS_CORE_PARAM { Protocols = ${version}; Mount_Path_Pseudo = true; Enable_RQUOTA = false; Enable_NLM = false; Enable_UDP = false; NFS_Port = ${port}; Bind_addr = 127.0.0.1; Plugins_Dir = "/usr/lib/x86_64-linux-gnu/ganesha/"; }
NFS_KRB5 { Active_krb5 = false; }
NFSV4 { Grace_Period = 1; RecoveryRoot = "${work}"; }
EXPORT { Export_Id = 1; Path = "${folder}"; Pseudo = "${name}"; Access_Type = ${access}; Squash = No_Root_Squash; SecType = sys; FSAL { Name = VFS; } }
`;
}
