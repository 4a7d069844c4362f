import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import type { BuildResult } from '../../builder/build.ts';
import type { RunOptions } from '../../builder/run.ts';
import { run } from '../../builder/run.ts';

export const MINDI = join(import.meta.dirname, '../../bin/mindi');

/** The times of the same thing done several times, seconds. */
export type Times = number[];

/** Does it `count` times, one after the other; `work` gives the seconds, or the whole of it is timed. */
export async function repeated(count: number, work: (turn: number) => Promise<unknown>): Promise<Times> {
  const times: Times = [];
  for (let turn = 0; turn < count; turn += 1) {
    const started = performance.now();
    const told = await work(turn);
    times.push(typeof told === 'number' ? told : (performance.now() - started) / 1000);
  }
  return times;
}

export function median(times: Times): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

/** A whole process of mindi, from its start to its end, as a person waits for it. */
export async function mindiBuild(profile: string, out: string, cache: string | undefined): Promise<Built> {
  const started = performance.now();
  const env = cache ? { MINDI_CACHE: cache } : undefined;
  const { stdout } = await run(MINDI, ['build', profile, '--out', out, '--json'], { env });
  return { ...(JSON.parse(stdout) as BuildResult), seconds: (performance.now() - started) / 1000 };
}

export interface Built extends BuildResult {
  seconds: number;
}

/** Runs a program and tells its seconds. */
export async function timed(program: string, args: readonly string[], options?: RunOptions): Promise<number> {
  const started = performance.now();
  await run(program, args, options);
  return (performance.now() - started) / 1000;
}

/** One measured thing: its median, all its runs, and what it is compared with. */
export function row(what: string, value: string, beside = ''): void {
  console.log(`  ${what.padEnd(46)}${value.padStart(11)}  ${beside}`.trimEnd());
}

export function timeRow(what: string, times: Times, beside = ''): void {
  const runs = times.length > 1 ? `(${times.map((time) => time.toFixed(2)).join(', ')})` : '';
  row(what, `${median(times).toFixed(2)} s`, [beside, runs].filter(Boolean).join('  '));
}

/** `3.1 x the floor; wanted: at most 1.5`. */
export function ratio(value: number, than: string, wanted?: string): string {
  return `${value.toFixed(2)} x ${than}${wanted ? `; wanted: ${wanted}` : ''}`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function progress(text: string): void {
  console.error(`bench: ${text}`);
}

/** What the figures depend on, and whether the machine was quiet. */
export function machine(): string {
  const model = os.cpus()[0]?.model ?? 'unknown';
  const load = (os.loadavg()[0] ?? 0).toFixed(2);
  return `${os.cpus().length} x ${model}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, load ${load}, Node ${process.version}`;
}

/** Clock ticks in which the processors worked, and those of them that this process and its ended children took. */
interface Ticks {
  busy: number;
  ours: number;
}

/** proc(5): USER_HZ of every architecture mindi knows. */
const TICKS_PER_SECOND = 100;
/** Part of one processor; with more taken by others, a comparison of what runs on all of them with what does not is void. */
const DISTURBED = 0.1;

/** Watches what else runs on this machine; calling the result prints it. */
export function watchOthers(): () => void {
  const started = performance.now();
  const before = ticks();
  return () => {
    const after = ticks();
    const others = Math.max(0, after.busy - before.busy - (after.ours - before.ours));
    const share = others / TICKS_PER_SECOND / ((performance.now() - started) / 1000);
    const verdict = share > DISTURBED ? 'NOT QUIET: measure again, do not quote these figures' : '';
    row('other work meanwhile', `${(100 * share).toFixed(0)} % CPU`, verdict);
  };
}

/** /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; /proc/self/stat: utime, stime, cutime, cstime. */
function ticks(): Ticks {
  const all = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/).slice(1, 9).map(Number) ?? [];
  const self = readFileSync('/proc/self/stat', 'utf8');
  const own = self
    .slice(self.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  return { busy: sum(all) - (all[3] ?? 0) - (all[4] ?? 0), ours: sum(own) };
}
