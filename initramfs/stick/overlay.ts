import type { NetworkWords } from '../../contract/network-setting.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import { INHERITED } from '../../contract/settings/fields.ts';
import { networkWords } from '../../contract/settings/network.ts';
import type { StickSettings } from '../../contract/settings/stick-schema.ts';

/** The profile's settings with those of a stick laid over them. In a list `...` stands for the profile's items. */
export function overlay(config: RescueConfig, said: StickSettings): RescueConfig {
  const { keymap, statusPage } = said.access ?? {};
  return {
    ...config,
    restore: { ...config.restore, ...said.restore },
    keymap: keymap === undefined ? config.keymap : keymap,
    ...(statusPage === undefined ? {} : { statusPage }),
    network: { ...config.network, ...expanded(networkWords(said.network ?? {}), config.network ?? {}) },
  };
}

function expanded(said: NetworkWords, profile: NetworkWords): NetworkWords {
  const words = Object.entries(said) as [keyof NetworkWords, string[]][];
  return Object.fromEntries(
    words.map(([word, values]) => [word, values.flatMap((one) => (one === INHERITED ? (profile[word] ?? []) : one))]),
  );
}
