import { existsSync } from 'node:fs';
import { problem, type Step } from '../boot.ts';
import { busybox } from '../process.ts';

/** Takes the time of the hardware clock (UTC), and never one before the medium was made: TLS and file times would suffer. */
export const clock: Step = {
  name: 'clock',
  async run(boot) {
    if (existsSync('/dev/rtc0')) await busybox(['hwclock', '-s', '-u'], { limit: 10 });
    const created = Date.parse(boot.config.created);
    if (Number.isNaN(created) || Date.now() >= created) return;
    const said = new Date().toISOString();
    await busybox(['date', '-u', '-s', `@${Math.floor(created / 1000)}`]);
    problem(
      boot,
      `The machine's clock says ${said}, which is before the medium was made; it now says ${boot.config.created}.`,
    );
  },
};
