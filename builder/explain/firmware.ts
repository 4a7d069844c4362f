import { globMatch, isGlob } from 'node-kmod-deps';
import { moduleFacts } from '../drivers/facts.ts';
import { type FirmwareFate, firmwareSettings, packageOf } from '../drivers/firmware.ts';
import { absent, type Finding } from './finding.ts';
import type { DriverInputs } from './module.ts';

const DIRECTORY = /^\/?(?:usr\/)?lib\/firmware\//;

/** The file's name as modules declare it; undefined for what cannot be one. */
export function firmwareName(asked: string): string | undefined {
  const isPath = DIRECTORY.test(asked);
  const name = asked.replace(DIRECTORY, '').replace(/\.(xz|zst)$/, '');
  return isPath || (!name.startsWith('/') && /[./]/.test(name)) ? name : undefined;
}

/** What a firmware file is to the chosen drivers; nothing when none of them declares it. */
export function explainChosenFirmware(asked: string, fates: readonly FirmwareFate[], inputs: DriverInputs): Finding[] {
  const name = firmwareName(asked);
  if (name === undefined) return [];
  const found = fates.filter(({ file }) => file === name || (isGlob(file) && globMatch(file, name)));
  return found.map((fate) => finding(fate, inputs));
}

/** The same for the drivers that were not chosen; nothing for what is no firmware's name. */
export async function explainOtherFirmware(asked: string, inputs: DriverInputs): Promise<Finding[]> {
  const name = firmwareName(asked);
  if (name === undefined) return [];
  const by = await declarers(name, inputs);
  if (by.length === 0) {
    return DIRECTORY.test(asked)
      ? [absent('firmware', name, ['no driver of this kernel declares it'], includeLine(name))]
      : [];
  }
  const off = inputs.profile.drivers.firmware === 'none' ? ['drivers.firmware is none'] : [];
  const notOn = by.filter((module) => !inputs.selection.modules.has(module));
  const drivers = notOn.length > 0 ? [`only ${notOn.join(', ')} asks for it, which is not on the media`] : [];
  const bring = notOn.length > 0 ? [`drivers: { include: [..., ${notOn[0]}] }`] : ['drivers: { firmware: auto }'];
  return [absent('firmware', name, [...off, ...drivers], bring)];
}

const includeLine = (name: string): string[] => {
  const known = packageOf(name);
  return [`drivers: { firmware: { from: [host${known ? `, ${known}` : ''}], include: [${name}] } }`];
};

function finding(
  { file, wantedBy, status, origin, because, package: debian }: FirmwareFate,
  inputs: DriverInputs,
): Finding {
  const asks = wantedBy.length > 0 ? [`${wantedBy.join(', ')} may ask for it`] : [];
  if (status === 'present') {
    const essential = wantedBy.some((module) => inputs.selection.essential.includes(module));
    const why = wantedBy.flatMap((module) =>
      (inputs.selection.modules.get(module)?.reasons.slice(0, 1) ?? []).map(({ rule, via = [] }) => ({
        rule,
        via: [...via, module],
        kind: 'firmware' as const,
      })),
    );
    const place = essential || inputs.profile.initrd.fold ? 'initrd' : 'second stage';
    const path = isGlob(file) ? null : `/usr/lib/firmware/${file}`;
    const rule = why.length > 0 ? why : [{ rule: `drivers.firmware.include: ${file}`, kind: 'named' as const }];
    return {
      what: 'firmware',
      name: file,
      present: true,
      place,
      path,
      why: rule,
      notes: [`from ${origin}`],
      bring: [],
    };
  }
  if (status === 'excluded') {
    const bring = because === 'limit' ? 'a higher drivers.firmware.limit' : 'take that line out';
    return absent('firmware', file, [...asks, `drivers.firmware ${because} leaves it out`], [bring]);
  }
  const notes = [...asks, 'it is in none of the places drivers.firmware.from names'];
  const from = [...(firmwareSettings(inputs.profile.drivers.firmware)?.from ?? []), debian];
  return absent('firmware', file, notes, debian ? [`drivers: { firmware: { from: [${from.join(', ')}] } }`] : []);
}

/** Modules of the whole kernel that declare the file. */
async function declarers(name: string, { tree }: DriverInputs): Promise<string[]> {
  const facts = await moduleFacts(tree, tree.names);
  return [...facts]
    .filter(([, { firmware }]) => firmware.some((file) => file === name || (isGlob(file) && globMatch(file, name))))
    .map(([module]) => module);
}
