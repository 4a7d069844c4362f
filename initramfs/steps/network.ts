import { chosenSource } from '../../contract/boot-request.ts';
import { type Boot, problem, type Step } from '../boot.ts';
import { trustOwnAuthorities } from '../network/authorities.ts';
import { switchOn } from '../network/cards.ts';
import { bringUp, isRemote, settingFor } from '../network/set-up.ts';
import { gateways } from '../network/state.ts';
import { serverAddress } from '../sources/s3-address.ts';

/** Brings the network up when that was asked for and is not done yet; else its cards tell at least whether a cable is in. */
export const network: Step = {
  name: 'network',
  async run(boot) {
    await switchOn();
    const setting = settingFor(boot);
    if (setting && !boot.network) await bringUp(boot, setting);
    if (!boot.network) return;
    const wrong = [await pingSource(boot), await clockFromNetwork(boot)];
    for (const sentence of wrong) if (sentence) problem(boot, sentence);
  },
};

/** The server of the restore data, else the gateway. */
async function pingSource(boot: Boot): Promise<string | null> {
  const times = boot.parameters.ping;
  if (times === null) return null;
  const source = chosenSource(boot.parameters, boot.config.restore.source);
  const server = isRemote(source) ? new URL(serverAddress(source)).hostname.replace(/^\[(.*)\]$/, '$1') : '';
  const host = server || gateways()[0]?.gateway;
  if (!host) return 'There is neither a server nor a gateway to ping.';
  const { ping } = await import('../network/ping.ts');
  return ping(boot, host, times);
}

/** From time servers, else from the servers that are asked for data by HTTP. */
async function clockFromNetwork(boot: Boot): Promise<string | null> {
  const { parameters, config } = boot;
  const source = chosenSource(parameters, config.restore.source);
  const places = [source && serverAddress(source), parameters.stage2, ...parameters.log, boot.medium];
  const http = places.filter((place) => place !== null && /^https?:/.test(place) && URL.canParse(place));
  if (http.some((place) => place?.startsWith('https:'))) await trustOwnAuthorities();
  const bare = http.map((place) => new URL(place ?? '').origin);
  const { setClock } = await import('../network/clock.ts');
  return setClock(boot, { ntp: boot.network?.ntp ?? [], http: [...new Set(bare)], created: config.created });
}
