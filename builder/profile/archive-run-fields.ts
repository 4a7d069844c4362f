import { closed, text, textOrNull } from '../../contract/settings/fields.ts';
import { Type } from '../../contract/settings/type.ts';

const SPAN = '^[0-9]{1,6}[mhdwy]$';

/** A script, or a program with its words. */
const hooks = (description: string) =>
  Type.Optional(
    Type.Array(
      Type.Union(
        [
          text('a script of this machine; "..." stands for the inherited'),
          Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'a program and its words' }),
        ],
        { description: 'a script, or a program with its words' },
      ),
      { description },
    ),
  );

const count = (what: string) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: `keep the ${what}` }));

/** How many sets of each kind retention keeps. */
export const KEEP_FIELDS = {
  last: count('newest so many'),
  daily: count('newest of each of so many days that have one'),
  weekly: count('newest of each of so many weeks'),
  monthly: count('newest of each of so many months'),
  yearly: count('newest of each of so many years'),
};

/** Of the section `archive`: what happens around a run. */
export const ARCHIVE_RUN_FIELDS = {
  consistency: Type.Optional(
    Type.Enum(['live', 'snapshot', 'auto'], {
      description:
        'live: files are read as they are; snapshot: from LVM, btrfs or ZFS snapshots, or not at all; auto: from snapshots where they can be made',
    }),
  ),
  before: hooks('what runs before anything is read (freeze a database); when one fails, nothing is archived'),
  after: hooks('what runs after it, whatever happened: MINDI_RESULT is success, warnings or failure'),
  hookLimit: Type.Optional(text('how long each of them may take: 10m, 2h', { pattern: '^[1-9][0-9]{0,3}[mh]$' })),
  differential: Type.Optional(
    textOrNull('for so long after a full set (7d) sets hold only what changed since it; null: each set is full', {
      pattern: SPAN,
    }),
  ),
  keep: Type.Optional(
    Type.Union(
      [
        Type.Object(KEEP_FIELDS, { ...closed, minProperties: 1 }),
        Type.Unsafe<null>({ type: 'null', description: 'nothing is ever removed' }),
      ],
      { description: 'which sets stay when a new one is complete; what none of these keeps is removed' },
    ),
  ),
};
