import { expect, test } from 'vitest';
import { Console } from '../../initramfs/consoles.ts';

/** A console that nobody sees, and what is written to it. */
function recorded(): { console: Console; written: () => string } {
  const console = new Console('null');
  const write = console.write.bind(console);
  let text = '';
  console.write = (more) => {
    text += more;
    write(more);
  };
  return { console, written: () => text };
}

test('a progress line is replaced by the next one, and by what is said', () => {
  const { console, written } = recorded();
  console.progressAs = () => 'over';
  console.progress('10 %');
  console.progress('20 %');
  console.say('done\n');
  console.say('more\n');
  expect(written()).toBe('\r10 %\x1b[K\r20 %\x1b[K\r\x1b[Kdone\nmore\n');
  expect(console.idle).toBe(true);
  console.close();
});

test('a serial console gets a line of it now and then; one that asks something gets none', () => {
  const { console, written } = recorded();
  console.progress('10 %');
  console.progress('20 %');
  console.progressAs = () => 'none';
  console.progress('30 %');
  expect(written()).toBe('10 %\n');
  const heard: string[] = [];
  console.heed = (text) => heard.push(text);
  console.say('said\n');
  expect([heard, written()]).toEqual([['said\n'], '10 %\n']);
  console.close();
});
