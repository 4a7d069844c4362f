import { existsSync, readFileSync } from 'node:fs';
import { noSetting } from '../../contract/network-setting.ts';
import { type NetbootConfig, PATHS, type SecondStage } from '../../contract/rescue-config.ts';
import { type Location, parseLocation } from '../address.ts';
import { type Boot, problem, type Step } from '../boot.ts';
import { bringUp, settingFor } from '../network/set-up.ts';
import { placedBefore } from '../second-stage.ts';

/** Started from the network: sets it up and fetches the second stage. */
export const netboot: Step = {
  name: 'netboot',
  async run(boot) {
    const stage = boot.config.stage2;
    if (stage?.where !== 'medium' || placedBefore(stage) !== null) return;
    const config = netbootConfig();
    if (!config && !boot.parameters.stage2) return;
    await bringUp(boot, settingFor(boot) ?? noSetting());
    if (!boot.network) return;
    const places = locations(boot, config, stage);
    if (places.length === 0) return;
    const { fetchSecondStage } = await import('../fetch.ts');
    await fetchSecondStage(boot, stage, places);
  },
};

/** Only an initrd made for the network has one. */
function netbootConfig(): NetbootConfig | null {
  if (!existsSync(PATHS.netboot)) return null;
  return JSON.parse(readFileSync(PATHS.netboot, 'utf8')) as NetbootConfig;
}

/** What the command line says, else the profile; a mere path is one on the server that started the machine. */
function locations(boot: Boot, config: NetbootConfig | null, stage: SecondStage): Location[] {
  const said = boot.parameters.stage2 ?? config?.url ?? '/';
  const server = boot.parameters.server ?? boot.network?.server;
  const beside = server ? ['http', 'tftp'].map((scheme) => `${scheme}://${server}/${said.replace(/^\//, '')}`) : [];
  const urls = /^\w+:/.test(said) ? [said] : beside;
  if (urls.length === 0)
    problem(
      boot,
      'Nothing says which server has the second stage. Start again with mindi.stage2=http://SERVER/PATH/ .',
    );
  return urls.flatMap((url) => {
    const location = parseLocation(url, stage.path);
    if (!location) problem(boot, `The second stage cannot be fetched from ${url}: it is no http, tftp or nfs URL.`);
    return location ?? [];
  });
}
