import { strings, textOrNull } from '../../contract/settings/fields.ts';
import { Type } from '../../contract/settings/type.ts';

/** Keys that a person chooses. */
const map = (description: string, keys: { pattern: string; description: string }, values: object) =>
  Type.Unsafe<Record<string, string>>({
    type: 'object',
    propertyNames: keys,
    additionalProperties: { type: 'string', ...values },
    description,
  });

/** Of the section `restore`, what only a profile can say: it brings files, or runs programs that it brought. */
export const OWN_RESTORE_FIELDS = {
  passwordFile: Type.Optional(
    textOrNull('file whose first line is the password for the source; access.secrets must name restore.passwordFile'),
  ),
  keyFile: Type.Optional(textOrNull('SSH private key for a source by SFTP; access.secrets must name restore.keyFile')),
  command: Type.Optional(
    Type.Unsafe<string[] | null>({
      type: ['array', 'null'],
      minItems: 1,
      items: { type: 'string', minLength: 1 },
      description:
        'another backup tool: the program that restores and its words, one an item; it must be on the medium. null: none',
    }),
  ),
  environment: Type.Optional(
    map(
      'variables of that command and of the scripts before and after it',
      {
        pattern: '^(?!MINDI_)[A-Za-z_][A-Za-z0-9_]*$',
        description: 'a variable’s name; those that begin with MINDI_ are mindi’s own',
      },
      {},
    ),
  ),
  warningCodes: Type.Optional(
    Type.Array(Type.Integer({ minimum: 1, maximum: 255 }), {
      description: 'exit codes of the command that mean: done, with warnings',
    }),
  ),
  files: Type.Optional(
    map(
      'files and directories of this machine and where they are on the medium: `/path/on/the/medium: ./path/here`',
      {
        pattern: '^/(?!(?:dev|proc|sys|run|tmp|mnt)(?:/|$))(?:[^/]+/)*[^/]+$',
        description: 'an absolute path on the medium, not in /dev, /proc, /sys, /run, /tmp or /mnt',
      },
      { minLength: 1 },
    ),
  ),
  before: Type.Optional(strings('scripts of this machine that run before the restore, in this order')),
  after: Type.Optional(strings('scripts of this machine that run after it, when it is done')),
};
