import type { Boot } from '../boot.ts';
import { authorizedKeys } from './authorized-keys.ts';

/** As the command line says, else where anybody would be let in. */
export function wantsSsh({ parameters }: Pick<Boot, 'parameters'>): boolean {
  return parameters.ssh ?? authorizedKeys() > 0;
}

/** As the command line says, else the profile. */
export function wantsStatusPage({ parameters, config }: Pick<Boot, 'parameters' | 'config'>): boolean {
  return parameters.status ?? config.statusPage ?? false;
}
