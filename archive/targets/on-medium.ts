import { relative } from 'node:path';
import type { Profile } from '../../builder/profile/load.ts';
import { mediumSource } from '../engines/mounted.ts';
import { placeAddress } from '../places/place.ts';
import type { ArchiveTo } from '../settings.ts';
import { isStore } from '../stores/open.ts';

/** Where the rescue system mounts what a source's address names. */
const SOURCE = '/run/mindi/source';

/**
 * The address by which the rescue system finds the sets of a target, as docs/restore-sources.md has them; null when
 * nothing can be said. Never a password.
 */
export function sourceOnMedium(to: ArchiveTo): string | null {
  if ('burner' in to) return 'cd:';
  if ('usb' in to) return 'usb:';
  if ('tape' in to) return 'tape:';
  const place = 'directory' in to ? to.directory : 'iso' in to ? to.iso : 'url' in to ? to.url : null;
  if (place === null) return null;
  const address = placeAddress(place) ?? (isStore(place) ? new URL(place) : undefined);
  if (!address) return onDisk(place);
  const plain = new URL(address.href.replace(/^sshfs:/, 'sftp:'));
  plain.password = '';
  return plain.href;
}

function onDisk(directory: string): string | null {
  const { source, folder } = mediumSource(directory);
  const inside = relative(SOURCE, folder);
  return source && inside ? `${source.replace(/\/+$/, '')}/${encodeURI(inside)}` : source;
}

/** The profile of a medium that finds the sets of `archive.to`, unless it says itself where restore data are. */
export function withSets(profile: Profile): Profile {
  const { restore, network } = profile;
  const to = profile.archive.to as ArchiveTo | null;
  if (restore.source !== null || restore.command !== null || to === null) return profile;
  const source = sourceOnMedium(to);
  if (source === null) return profile;
  const remote = source.includes('://');
  return {
    ...profile,
    network: remote && network.ip === 'none' ? { ...network, ip: 'dhcp' } : network,
    restore: { ...restore, source },
  };
}
