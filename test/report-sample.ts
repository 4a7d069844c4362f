import type { ReadyReport } from '../contract/report.ts';
import type { RescueConfig } from '../contract/rescue-config.ts';

/** A medium, and what it told of a small virtual machine. */
export const CONFIG: RescueConfig = {
  ...{ format: 1, name: 'web01', generator: 'mindi 4.0.0', created: '2026-11-24T10:00:00.000Z', machine: 'web01' },
  ...{ kernel: '6.1.0', runtime: 'node', stage2: null, essential: [], keymap: null, stick: true },
  restore: { mode: 'interactive', source: null },
};

export const REPORT: ReadyReport = {
  ...{ seconds: 14.5, mode: 'interactive', name: 'web01', kernel: '6.1.0', secureBoot: false, runtime: 'node 24' },
  ...{ modules: ['ahci'], missing: [], requested: [], medium: '/dev/sr0', trusted: null, check: null, source: null },
  disks: [{ name: 'sda', bytes: 500e9, model: 'QEMU HARDDISK', driver: 'ahci' }],
  storage: { arrays: [], volumes: [], encrypted: [], silent: [] },
  nics: [{ name: 'eth0', mac: '52:54:00:12:34:56', driver: 'e1000e', link: true, addresses: ['10.0.2.15/24'] }],
  tapes: [],
  memory: { total: 488, available: 300 },
  sticks: [],
  ssh: null,
  statusPage: false,
  problems: [],
};
