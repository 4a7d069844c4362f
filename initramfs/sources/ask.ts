import type { Context } from '../boot.ts';
import { openSource } from './index.ts';
import { type OpenSource, SourceError } from './source.ts';

/**
 * Opens the source at an address; where that fails, and somebody is there, they may try again, write another address,
 * or go on without.
 * @returns null when they go on without
 * @throws SourceError where nobody is there
 */
export async function openOrAsk(text: string, context: Context): Promise<OpenSource | null> {
  let address = text;
  while (true) {
    try {
      return await openSource(address, context);
    } catch (error) {
      if (!(error instanceof SourceError && context.person.there)) throw error;
      const answer = await context.person.choose(`${error.message} ${error.hint}`, [
        { value: 'retry', text: 'Try again' },
        { value: 'change', text: 'Another address' },
        { value: 'without', text: 'Go on without' },
      ]);
      if (answer === 'without') return null;
      if (answer === 'change') address = await context.person.enter('The address of the restore data');
    }
  }
}
