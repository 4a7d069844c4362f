/** Words for types of partitions: GUID of a GPT, number of an MBR. https://uapi-group.org/specifications/specs/discoverable_partitions_specification/ */
const TYPES: readonly [word: string, gpt: string, mbr: string][] = [
  ['linux', '0FC63DAF-8483-4772-8E79-3D69D8477DE4', '83'],
  ['efi', 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B', 'ef'],
  ['swap', '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F', '82'],
  ['lvm', 'E6D6D379-F507-44C2-A23C-238F2A3DF928', '8e'],
  ['raid', 'A19D880F-05FC-4D3B-A006-743F0F84911E', 'fd'],
  ['bios-boot', '21686148-6449-6E6F-744E-656564454649', ''],
  ['prep', '9E1A2D38-C612-4316-AA26-8B49521E5A8B', '41'],
  ['boot', 'BC13C2FF-59E6-4262-A352-B275FD6F7172', 'ea'],
  ['home', '933AC7E1-2EB4-4F13-B844-0E14E2AEF915', ''],
  ['root-x86-64', '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709', ''],
  ['luks', 'CA7D7CCB-63ED-4C53-861C-1742536059CC', 'e8'],
  ['microsoft-data', 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7', '7'],
  ['microsoft-reserved', 'E3C9E316-0B5C-4DB8-817D-F92DF00215AE', ''],
  ['microsoft-recovery', 'DE94BBA4-06D1-4D40-A16A-BFD50179D6AC', '27'],
  ['fat32', '', 'c'],
  ['extended', '', '5'],
];

/** The word for a type as sfdisk tells it; the type itself where there is no word. */
export function typeWord(type: string, table: 'gpt' | 'mbr'): string {
  const wanted = table === 'gpt' ? type.toUpperCase() : type.toLowerCase().replace(/^0(?=.)/, '');
  return TYPES.find(([, gpt, mbr]) => (table === 'gpt' ? gpt : mbr) === wanted)?.[0] ?? wanted;
}

/** What sfdisk is told; null where this table has no such type. */
export function typeCode(word: string, table: 'gpt' | 'mbr'): string | null {
  const known = TYPES.find(([name]) => name === word);
  if (known) return (table === 'gpt' ? known[1] : known[2]) || null;
  const shape = table === 'gpt' ? /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i : /^[0-9a-f]{1,2}$/i;
  return shape.test(word) ? word : null;
}
