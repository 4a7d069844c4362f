import type { StorageDevice } from '../../contract/storage.ts';
import type { Person } from '../person.ts';
import { complaint, findProgram, type ProcessResult, run } from '../process.ts';
import { NO_UDEV, type StorageContext } from './context.ts';

/** Passphrases that may be wrong before it is given up. */
const ATTEMPTS = 3;
/** Seconds: deriving a key is slow on purpose. */
const LIMIT = 180;
/** What cryptsetup exits with when the key is none of the device's. */
const WRONG_KEY = 2;

/** The node of an unlocked device. */
export const unlockedNode = ({ content }: StorageDevice): string => `/dev/mapper/luks-${content?.uuid}`;

/**
 * Unlocks a LUKS device, read-only as long as the guard is on it.
 * @param keyFile a file with the key; null: the person is asked
 * @returns null, or why it stays locked, a sentence
 * @throws Unanswered where there is neither a key file nor a person
 */
export async function unlock(
  storage: StorageContext,
  device: StorageDevice,
  person: Person,
  keyFile: string | null,
): Promise<string | null> {
  const cryptsetup = findProgram('cryptsetup');
  if (!cryptsetup) return `${device.device} stays locked: cryptsetup is not on the medium.`;
  await storage.modules.loadAll(['dm_mod', 'dm_crypt']);
  const attempts = keyFile ? 1 : ATTEMPTS;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const key = keyFile ? undefined : await person.enter(question(device, attempt), { secret: true });
    const result = await open(cryptsetup, device, keyFile ?? '-', key);
    if (result.code === 0) return null;
    if (result.code !== WRONG_KEY) return `${device.device} stays locked: ${complaint(result)}.`;
  }
  return keyFile
    ? `${device.device} stays locked: the key in ${keyFile} does not open it.`
    : `${device.device} stays locked: ${ATTEMPTS} passphrases were wrong.`;
}

function question({ device }: StorageDevice, attempt: number): string {
  return `${attempt > 1 ? 'That is not the passphrase. ' : ''}Passphrase of ${device}`;
}

function open(cryptsetup: string, device: StorageDevice, keyFile: string, key?: string): Promise<ProcessResult> {
  const readOnly = device.writable ? [] : ['--readonly'];
  const name = unlockedNode(device).replace('/dev/mapper/', '');
  // With its key in the kernel's table instead of this process's keyring it can be let be written to later.
  const words = [
    'open',
    '--type',
    'luks',
    '--disable-keyring',
    ...readOnly,
    '--key-file',
    keyFile,
    device.device,
    name,
  ];
  return run(cryptsetup, words, { limit: LIMIT, env: NO_UDEV, ...(key === undefined ? {} : { input: key }) });
}
