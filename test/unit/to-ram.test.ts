import { describe, expect, it } from 'vitest';
import { parseBootParameters } from '../../contract/command-line.ts';
import { ramCopy } from '../../initramfs/ram-copy.ts';

describe('toram', () => {
  it('is off unless the command line has it, and leaves the mode alone', () => {
    expect(parseBootParameters('quiet interactive_mode').toRam).toBe(false);
    for (const line of ['toram', 'quiet mindi.toram expert'])
      expect(parseBootParameters(line)).toMatchObject({ toRam: true, problems: [] });
    expect(parseBootParameters('toram nuke').mode).toBe('nuke');
  });

  it('says how much memory it needs when there is less', async () => {
    const why = await ramCopy({ where: 'medium', path: 'x', size: 2 ** 50, sha256: '' });
    expect(why).toMatch(/^it needs 1073741888 MiB of free memory, and this machine has \d+ MiB$/);
  });
});
