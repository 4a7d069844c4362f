import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { inOrder } from '../../initramfs/in-order.ts';

/** Loads with the later names of a list quicker than the first, and tells when each began and was in. */
async function traced(lists: string[][]): Promise<string[]> {
  const trace: string[] = [];
  await inOrder(lists, async (name) => {
    trace.push(`${name} begins`);
    await sleep(name === 'cdc_ether' ? 20 : 1);
    trace.push(`${name} is in`);
  });
  return trace;
}

it('the first driver of a device is in before another device loads the second', async () => {
  const trace = await traced([['cdc_subset'], ['ahci'], ['cdc_ether', 'cdc_subset']]);
  expect(trace).toHaveLength(6);
  expect(trace.indexOf('cdc_ether is in')).toBeLessThan(trace.indexOf('cdc_subset begins'));
  expect(trace.indexOf('ahci is in')).toBeLessThan(trace.indexOf('cdc_ether is in'));
});

it('each is loaded once; nothing is asked for nothing', async () => {
  expect(await traced([['a', 'b'], ['b', 'c'], ['a']])).toEqual(
    ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} is in`]),
  );
  expect(await traced([[], []])).toEqual([]);
  expect(
    (
      await traced([
        ['a', 'b'],
        ['b', 'a'],
      ])
    )
      .filter((line) => line.endsWith('in'))
      .sort(),
  ).toEqual(['a is in', 'b is in']);
});
