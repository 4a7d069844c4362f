/** A package that brought files onto the medium. */
export interface Package {
  /** As in a package URL: deb, rpm, alpm, apk, npm, generic (https://github.com/package-url/purl-spec). */
  type: 'deb' | 'rpm' | 'alpm' | 'apk' | 'npm' | 'generic';
  /** Who made it, a package URL's namespace: debian, fedora. */
  vendor?: string;
  name: string;
  /** The whole version with epoch and release. */
  version: string;
  architecture?: string;
}

/** How the manifest calls it: `lvm2 2.03.16-2`. */
export const packageId = ({ name, version }: Package) => `${name} ${version}`;

/** Names people know package files by, and what they say. The first that fits. */
const FILE_NAMES: readonly { type: Package['type']; pattern: RegExp }[] = [
  { type: 'rpm', pattern: /^(?<name>.+)-(?<version>[^-]+-[^-]+)\.(?<architecture>[^.-]+)\.rpm$/ },
  { type: 'alpm', pattern: /^(?<name>.+)-(?<version>[^-]+-[^-]+)-(?<architecture>[^-]+)\.pkg\.tar(?:\.\w+)?$/ },
  { type: 'apk', pattern: /^(?<name>.+)-(?<version>\d[^-]*-r\d+)\.apk$/ },
  { type: 'deb', pattern: /^(?<name>[a-z0-9][a-z0-9+.-]+)_(?<version>[^_]+)_(?<architecture>[^_]+)\.deb$/ },
  { type: 'deb', pattern: /^(?<name>[a-z0-9][a-z0-9+.-]+) (?<version>\S+)$/ },
];

/** `linux-image-6.1.0-56-amd64 6.1.192-2`, `kernel-core-6.1-1.fc40.x86_64.rpm`; null when it is no package's name. */
export function packageNamed(text: string): Package | null {
  for (const { type, pattern } of FILE_NAMES) {
    const { name, version, architecture } = pattern.exec(text)?.groups ?? {};
    if (name && version) return { type, name, version, ...(architecture ? { architecture } : {}) };
  }
  return null;
}
