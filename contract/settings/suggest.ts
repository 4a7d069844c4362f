import { distance } from 'fastest-levenshtein';

/** Longer words are no typing mistakes. */
const LONGEST = 64;

/**
 * The candidate a person most likely meant by `word`: the nearest by edit distance, case and `_`/`-` aside, when not
 * more than about a third of its letters differ.
 */
function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > LONGEST) return undefined;
  const folded = fold(word);
  let best: string | undefined;
  let bestDistance = Math.floor(word.length / 3) + 1;
  for (const candidate of candidates) {
    const steps = mistakes(folded, fold(candidate));
    if (steps < bestDistance || (steps === 0 && best === undefined)) {
      best = candidate;
      bestDistance = steps;
    }
  }
  return best;
}

/** `Did you mean "scsi"?`, or undefined when nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const near = nearest(word, candidates);
  return near === undefined ? undefined : `Did you mean "${near}"?`;
}

/** Edit distance, where letters in the wrong order (nmae) are one mistake. */
function mistakes(word: string, candidate: string): number {
  const steps = distance(word, candidate);
  return steps > 1 && sorted(word) === sorted(candidate) ? 1 : steps;
}

const sorted = (word: string) => [...word].sort().join('');
const fold = (word: string) => word.toLowerCase().replaceAll('_', '-');
