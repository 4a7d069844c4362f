import { closed, text, textOrNull } from '../../contract/settings/fields.ts';
import { Type } from '../../contract/settings/type.ts';
import { ENGINES } from '../../contract/snapshot.ts';

const credentials = Type.Optional(
  text(
    'a file with user and password, as `username=…` and `password=…` lines; for S3 a credentials file of the AWS tools; never on the medium',
  ),
);
const size = (description: string) =>
  Type.Unsafe<string | number>({ type: ['string', 'integer'], minimum: 1, description });

/** `archive.to`: one kind of place, by the field that names it. */
const to = Type.Union(
  [
    Type.Object({ directory: text('a directory, made when it is not there') }, closed),
    Type.Object(
      {
        iso: text(
          'each volume is a file NAME-1.iso, NAME-2.iso … there: a directory, or nfs://, smb:// or sshfs:// of one',
        ),
        credentials,
      },
      closed,
    ),
    Type.Object(
      {
        burner: text('each volume is a CD, DVD or BD burned there: /dev/sr0'),
        speed: Type.Optional(Type.Integer({ minimum: 1, description: 'how fast, in the units of the disc: 8 for 8x' })),
        wipe: Type.Optional(Type.Boolean({ description: 'blank rewritable discs that are written already' })),
        eject: Type.Optional(Type.Boolean({ description: 'give each disc out when it is right' })),
      },
      closed,
    ),
    Type.Object(
      {
        usb: text('each volume is a stick or disk that is written over: /dev/sdb'),
        force: Type.Optional(
          Type.Boolean({ description: 'also one that does not say it is removable: many USB disks' }),
        ),
        serial: Type.Optional(
          Type.Array(text('the serial number of a stick'), {
            minItems: 1,
            description: 'sticks that may be written over without asking, in their order',
          }),
        ),
      },
      closed,
    ),
    Type.Object(
      {
        tape: text('each volume is a tape: /dev/nst0'),
        obdr: Type.Optional(
          Type.Boolean({
            description: 'with `media: [obdr]`: machines start from the first tape (One Button Disaster Recovery)',
          }),
        ),
        blockSize: Type.Optional(size('bytes of a record, 64KiB if not said; a multiple of 512 up to 1MiB')),
        eject: Type.Optional(Type.Boolean({ description: 'give each tape out when it is written' })),
      },
      closed,
    ),
    Type.Object(
      {
        url: text(
          'a server: nfs://SERVER/PATH (or SERVER:/PATH), smb://SERVER/SHARE/PATH, sshfs://USER@SERVER/PATH, mounted for the run; https://SERVER/PATH, written by PUT; s3://BUCKET/PREFIX or s3+https://SERVER/BUCKET/PREFIX',
        ),
        credentials,
      },
      closed,
    ),
    Type.Object(
      {
        repository: text(
          'where another engine keeps snapshots, as it writes it: a directory, s3:https://SERVER/BUCKET/PATH, rest:https://SERVER/, sftp://USER@SERVER//PATH (restic), ssh://USER@SERVER/PATH (borg), USER@SERVER:/PATH (rsync)',
        ),
        passwordFile: Type.Optional(
          text('a file with its password (restic, borg); on the medium only where access.secrets names it'),
        ),
        environment: Type.Optional(
          Type.Unsafe<Record<string, string>>({
            type: 'object',
            propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_]*$' },
            additionalProperties: { type: 'string' },
            description:
              'variables of the engine; files they name are on the medium, private ones only where access.secrets names them',
          }),
        ),
      },
      closed,
    ),
    Type.Unsafe<null>({ type: 'null', description: 'nowhere: the profile archives nothing' }),
  ],
  { description: 'where sets are written to' },
);

/** Of the section `archive`: where sets go and on what. */
export const ARCHIVE_TO_FIELDS = {
  engine: Type.Optional(
    Type.Enum(['mindi', ...ENGINES], {
      description:
        'what archives: mindi writes sets of its own; restic, borg, rsync and tar are run by it, and write to a repository',
    }),
  ),
  to: Type.Optional(to),
  volume: Type.Optional(
    Type.Union(
      [
        size('of every volume'),
        Type.Array(size('of one volume'), {
          minItems: 1,
          description: 'of the first, the second … and of all after the last',
        }),
        Type.Unsafe<null>({
          type: 'null',
          description: 'as much as the medium takes; in a directory or on a server all',
        }),
      ],
      { description: 'what a volume holds at most, 700MiB or 4.7GB: a set has as many as it needs' },
    ),
  ),
  scratch: Type.Optional(
    textOrNull('a directory for what is on its way to the target, two volumes at most; null: /var/tmp'),
  ),
  verify: Type.Optional(Type.Boolean({ description: 'read each volume back from where it was written, and compare' })),
};

/** Of the section `archive`: who can read sets, and what of them may be lost. */
export const ARCHIVE_SAFETY_FIELDS = {
  encryption: Type.Optional(
    Type.Union(
      [
        Type.Object(
          {
            age: Type.Optional(
              Type.Array(text('age1… or a file with such lines'), {
                minItems: 1,
                description:
                  'public keys, as age-keygen makes them: whoever has one of the secret keys can read the sets',
              }),
            ),
            passphraseFile: Type.Optional(
              text('a file whose first line is a passphrase that opens the sets, too; never on the medium'),
            ),
          },
          closed,
        ),
        Type.Unsafe<null>({ type: 'null', description: 'sets are not encrypted' }),
      ],
      { description: 'archives and catalog are encrypted, by age' },
    ),
  ),
  parity: Type.Optional(
    textOrNull('what of each volume may be damaged and yet comes back, by par2: 10%; null: nothing', {
      pattern: '^[1-9][0-9]?%$',
    }),
  ),
};
