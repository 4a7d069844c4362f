/** PCI classes by their first digits, longest first. https://admin.pci-ids.ucw.cz/read/PD */
const PCI_CLASSES: readonly [digits: string, name: string][] = [
  ['0104', 'RAID controller'],
  ['0106', 'SATA controller'],
  ['0108', 'NVMe drive'],
  ['0805', 'card reader'],
  ['0c00', 'FireWire controller'],
  ['0c03', 'USB controller'],
  ['0c04', 'Fibre Channel adapter'],
  ['01', 'storage controller'],
  ['02', 'network card'],
  ['03', 'display'],
  ['04', 'sound or video device'],
  ['07', 'communication device'],
  ['09', 'input device'],
  ['0d', 'wireless device'],
  ['10', 'encryption device'],
];

/** What a modalias stands for, in words: `network card 15ad:07b0`. The modalias itself where there is nothing better. */
export function describe(modalias: string): string {
  const pci = /^pci:v0000(\w{4})d0000(\w{4}).*bc(\w\w)sc(\w\w)/.exec(modalias);
  if (pci) {
    const [vendor, device, ...digits] = pci.slice(1).map((part) => part.toLowerCase());
    const name = PCI_CLASSES.find(([start]) => digits.join('').startsWith(start))?.[1] ?? 'PCI device';
    return `${name} ${vendor}:${device}`;
  }
  const usb = /^usb:v(\w{4})p(\w{4})/.exec(modalias);
  return usb ? `USB device ${usb.slice(1).join(':').toLowerCase()}` : modalias;
}
