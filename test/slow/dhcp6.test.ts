import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('DHCPv6 gives an address and name servers; where nobody answers, that is told in bounded time', async () => {
  const script = join(import.meta.dirname, 'dhcp6-lab.ts');
  const apart = ['--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const { stdout } = await promisify(execFile)('unshare', [...apart, process.execPath, '--conditions=source', script]);
  expect(JSON.parse(stdout)).toEqual({
    first: true,
    again: true,
    addresses: expect.arrayContaining([expect.stringMatching(/^fd00:9::1[0-9a-f]{2}\/128$/)]),
    resolver: 'nameserver fd00:9::53\n',
    silent: false,
  });
});
