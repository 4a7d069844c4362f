import type { Distro } from './distro.ts';

/** Which package brings something, by distribution. A missing name: that distribution does not package it. */
export type PackageNames = Partial<Record<Distro, string>>;

/**
 * `build`: every build needs it. `usb`: USB images need it. `netboot`: that medium and `mindi serve` need it. `kernel`:
 * builds need it where the kernel comes from a package. `boot`: `mindi boot` needs it. `medium`: goes onto the medium
 * when it is here.
 */
export type Need = 'build' | 'usb' | 'netboot' | 'kernel' | 'boot' | 'archive' | 'medium';

export interface Provision {
  /** What people call it. */
  name: string;
  /** Programs, looked up in PATH; any one of them will do unless `all` says otherwise. */
  programs?: string[];
  /** Or files at fixed places; any one will do. */
  files?: string[];
  need: Need;
  purpose: string;
  packages: PackageNames;
}

/** The same name everywhere. */
export const same = (name: string): PackageNames => ({
  debian: name,
  fedora: name,
  suse: name,
  arch: name,
  alpine: name,
});
