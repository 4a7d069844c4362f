/** A kind of server whose directories are mounted for a run, one file each in this folder. */
export interface ServerKind {
  /** Of its addresses, without the colon. */
  schemes: readonly string[];
  /** Ways to mount it, each tried when the server does not have what the one before asks for. */
  ways(address: URL, options: MountOptions): Promise<MountCommand[]>;
}

export interface MountOptions {
  /** Where. */
  folder: string;
  readOnly: boolean;
  /** A file with user and password, for their owner only. */
  credentials: string | undefined;
}

export interface MountCommand {
  program: string;
  args: string[];
  /** For its standard input: a password stands there, and never among the arguments. */
  input?: string;
  package: string;
}

/** What follows the server in an address, as people mean it. */
export const pathOf = ({ pathname }: URL): string => decodeURIComponent(pathname);

/** Never what a person did not say: no set-user-ID programs, no devices of somebody else's. */
export const SAFE = ['nosuid', 'nodev'];
