import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waiting for devices. The kernel counts its device events in /sys/kernel/uevent_seqnum; reading that needs no socket, no
 * daemon and no queue that could overflow, and there is nothing in it to hang.
 */
const LOOK_EVERY = 25;

export function eventNumber(): number {
  return Number(readFileSync('/sys/kernel/uevent_seqnum', 'latin1'));
}

/** Resolves with true when there was a device event after `since`, with false after `limit` milliseconds. */
export async function deviceEvent(since: number, limit: number, lookEvery: number = LOOK_EVERY): Promise<boolean> {
  const end = performance.now() + limit;
  while (eventNumber() === since) {
    if (performance.now() >= end) return false;
    await sleep(lookEvery);
  }
  return true;
}
