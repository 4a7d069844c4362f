/**
 * Node and Bun carry ICU's data for every language, 33 MB, a third of what the runtime weighs on the medium. The rescue
 * system speaks English: the data of other languages are overwritten with zeros, which compress to nothing. The program
 * keeps its size and layout; ICU answers for a language it no longer has as it does for one it never had.
 *
 * Format: https://github.com/unicode-org/icu/blob/main/icu4c/source/common/ucmndata.h (a header "CmnD", then a table of
 * contents: count, and for each item the offsets of its name and of its data, sorted, relative to the end of the header).
 */
const HEADER = Buffer.from('da271400000000000200436d6e44', 'hex');
/** Where the magic stands in the header, after its 16-bit size. */
const MAGIC_AT = 2;
const MOST_ITEMS = 50_000;

/** Data of all languages together, and those English needs. */
const KEPT_RESOURCES =
  /^(?:root|en|en_US|en_001|pool|res_index|supplementalData|keyTypeData|numberingSystems|metaZones|timezoneTypes|windowsZones|zoneinfo64|likelySubtags|metadata|plurals|pluralRanges|dayPeriods|genderList|icuver|icustd|currencyNumericCodes|langInfo|units|grammaticalFeatures)\.res$/;
/** Other languages' texts, dictionaries that find words in them, converters of old encodings, transliterations. */
const DROPPED = /\.(?:res|dict|cnv)$|^translit\//;

/** Zeroes the data of other languages in the bytes of a program. Returns how many bytes; 0 where there are none as known here. */
export function dropForeignLanguages(program: Buffer): number {
  const magic = program.indexOf(HEADER);
  if (magic < MAGIC_AT) return 0;
  const items = readItems(program, magic - MAGIC_AT);
  let dropped = 0;
  // The last item's end is not in the table, so it stays.
  for (const [i, { name, start }] of items.slice(0, -1).entries()) {
    const end = items[i + 1]?.start ?? start;
    if (!isForeign(name)) continue;
    program.fill(0, start, end);
    dropped += end - start;
  }
  return dropped;
}

function isForeign(name: string): boolean {
  const file = name.slice(name.lastIndexOf('/') + 1);
  return DROPPED.test(name) && !KEPT_RESOURCES.test(file);
}

/** The table of contents; empty when anything in it is not as it should be. */
function readItems(program: Buffer, header: number): { name: string; start: number }[] {
  const base = header + program.readUInt16LE(header);
  const count = base + 4 <= program.length ? program.readUInt32LE(base) : 0;
  if (count === 0 || count > MOST_ITEMS || base + 4 + 8 * count > program.length) return [];
  const items: { name: string; start: number }[] = [];
  let before = base;
  for (let i = 0; i < count; i++) {
    const at = base + 4 + 8 * i;
    const start = base + program.readUInt32LE(at + 4);
    const name = text(program, base + program.readUInt32LE(at));
    if (start <= before || start >= program.length || !/^icudt\d+[lb]\//.test(name)) return [];
    items.push({ name: name.slice(name.indexOf('/') + 1), start });
    before = start;
  }
  return items;
}

function text(program: Buffer, at: number): string {
  const end = program.indexOf(0, at);
  return end < at || end - at > 200 ? '' : program.toString('latin1', at, end);
}
