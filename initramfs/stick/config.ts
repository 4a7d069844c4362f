import { MindiError } from '../../contract/error.ts';
import type { RescueConfig } from '../../contract/rescue-config.ts';
import { check } from '../../contract/settings/check.ts';
import { checkNetwork } from '../../contract/settings/network.ts';
import { StickSchema, type StickSettings } from '../../contract/settings/stick-schema.ts';
import { plain, readYaml } from '../../contract/settings/yaml.ts';
import { overlay } from './overlay.ts';

const KIND = 'settings file';

/**
 * Lays what a config.yaml says over what the profile says.
 * @param name how the file is called in places
 * @returns everything that is wrong with it; then nothing of it holds
 */
export async function applyStickConfig(
  config: RescueConfig,
  file: string,
  name: string,
): Promise<{ config: RescueConfig; problems: readonly MindiError[] }> {
  try {
    const root = await readYaml(file, KIND, name);
    const problems = [...check(root, StickSchema, 'stick'), ...checkNetwork(root)];
    if (problems.length > 0) return { config, problems };
    return { config: overlay(config, plain(root) as StickSettings), problems };
  } catch (error) {
    if (!(error instanceof MindiError)) throw error;
    // An example with every line commented out.
    if (error.code === 'settings-file.empty') return { config, problems: [] };
    return { config, problems: error.problems.length > 0 ? error.problems : [error] };
  }
}
