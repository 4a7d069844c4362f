import { closeSync, existsSync, openSync, readFileSync, readSync, statSync, watch, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATHS } from '../../contract/rescue-config.ts';
import { knownSecrets } from '../bug-me/parts.ts';
import { scrub } from '../bug-me/scrub.ts';
import { reason } from '../reasons.ts';
import type { LogReceiver } from './log-receiver.ts';

/** Has how many bytes of the log were sent to somebody, for the process that goes on when this one has died. */
const sentFile = ({ name }: LogReceiver) => `/run/mindi/log-sent.${encodeURIComponent(name).slice(-LONGEST_NAME)}`;
/** Of a file's name on Linux it is 255, with all. */
const LONGEST_NAME = 200;
/** Milliseconds: in which lines are gathered, between tries where they are not taken, and between looks without an event. */
const GATHER = 500;
const RETRY = 10_000;
const LOOK_EVERY = 5000;
/** Sending may take one part of so many of the time: the whole log is sent again and again. */
const SHARE = 10;

/** What people are told, once. */
export interface Outcome {
  failed(why: string): void;
  works(): void;
}

/** Sends the log, from where it was sent already, and what comes. Never returns. */
export async function followLog(receiver: LogReceiver, outcome: Outcome): Promise<never> {
  let told: 'failed' | 'works' | null = null;
  for (;;) {
    let pause = RETRY;
    try {
      if (told === 'works') await somethingNew(receiver);
      const began = performance.now();
      const sent = await sendNew(receiver);
      if (sent && told !== 'works') outcome.works();
      if (sent) told = 'works';
      pause = Math.max(GATHER, SHARE * (performance.now() - began));
    } catch (error) {
      if (told === null) outcome.failed(reason(error as Error));
      told = 'failed';
    }
    await sleep(pause);
  }
}

/** Sends what is new. Returns false where nothing is. */
export async function sendNew(receiver: LogReceiver): Promise<boolean> {
  const sent = alreadySent(receiver);
  const news = readFrom(sent);
  if (news.length === 0) return false;
  await receiver.send(receiver.whole ? cleanLog() : withoutSecrets(news));
  writeFileSync(sentFile(receiver), String(sent + news.length));
  return true;
}

/** How much of the log was read into `clean`: it is long, and secrets are looked for slowly. */
let cleaned = 0;
let clean = Buffer.alloc(0);

/** All of the log, without secrets. */
export function cleanLog(): Buffer {
  const news = readFrom(cleaned);
  cleaned += news.length;
  clean = Buffer.concat([clean, withoutSecrets(news)]);
  return clean;
}

function withoutSecrets(text: Buffer): Buffer {
  return Buffer.from(scrub(text.toString(), knownSecrets()));
}

/** Whole lines of the log from a byte on. */
function readFrom(start: number): Buffer {
  const file = openSync(PATHS.log, 'r');
  try {
    const bytes = Buffer.alloc(Math.max(0, statSync(PATHS.log).size - start));
    const read = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start));
    return read.subarray(0, read.lastIndexOf(0x0a) + 1);
  } finally {
    closeSync(file);
  }
}

/** 0 where the log was begun anew since. */
function alreadySent(receiver: LogReceiver): number {
  const file = sentFile(receiver);
  const sent = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  return sent <= statSync(PATHS.log).size ? sent : 0;
}

function somethingNew(receiver: LogReceiver): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (readFrom(alreadySent(receiver)).length > 0) return Promise.resolve();
  const watcher = watch(PATHS.log, () => resolve());
  const timer = setTimeout(resolve, LOOK_EVERY);
  return promise.finally(() => {
    clearTimeout(timer);
    watcher.close();
  });
}
